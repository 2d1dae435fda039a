import type { Plugin } from '@postern/plugin-sdk';
import https from '@postern/plugin-https';
import kubernetes from '@postern/plugin-kubernetes';
import mongodb from '@postern/plugin-mongodb';
import mysql from '@postern/plugin-mysql';
import redis from '@postern/plugin-redis';
import postgres from '@postern/plugin-postgres';
import rdp from '@postern/plugin-rdp';
import ssh from '@postern/plugin-ssh';

/** The plugins that are part of the product. Nobody else names them all. */
export const standardPlugins: readonly Plugin[] = [
  ssh as Plugin,
  postgres as Plugin,
  mysql as Plugin,
  redis as Plugin,
  kubernetes as Plugin,
  mongodb as Plugin,
  https as Plugin,
  rdp as Plugin,
];
