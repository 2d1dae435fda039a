import type { PlayerModule, RecordedEntry } from '@postern/plugin-sdk';
import { exportMp4 } from './player/mp4.js';
import { exportPng } from './player/png-export.js';

/** What a person reads of a recording: everything but the pixels. */
function line(entry: RecordedEntry): string | undefined {
  const text = (name: string): string => {
    const value = entry[name];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  };
  switch (entry.mark) {
    case 'desktop':
      return `desktop of ${text('width')} by ${text('height')} pixels`;
    case 'channel':
      return `channel ${text('name')} opened (${text('use')})`;
    case 'device':
      return `device ${text('name')} offered (${text('use')})`;
    case 'clipboard':
      return `clipboard: ${text('bytes')} bytes (${text('kind')}) ${text('direction').replace('_', ' ')}`;
    case undefined:
      return undefined;
    default:
      return entry.mark;
  }
}

export const rdpPlayer: PlayerModule = {
  line,
  exports: {
    png: { title: 'PNG picture of one moment', export: exportPng },
    mp4: { title: 'MP4 video, with ffmpeg', export: exportMp4 },
  },
};
