import type { CommandClass } from './protocol.js';

/** Commands whose second word decides what they do; policies name both, as in `client|kill`. */
const containers = new Set(
  'acl client cluster command config debug function latency memory module object pubsub script sentinel slowlog xgroup xinfo'.split(
    ' ',
  ),
);

/** By class; containers are listed where all of their subcommands belong, exceptions below. */
const listed: Readonly<Partial<Record<CommandClass, string>>> = {
  connection:
    'asking auth client|caching client|getname client|getredir client|id client|info client|no-evict client|no-touch client|reply client|setinfo client|setname client|tracking client|trackinginfo command echo hello ping quit readonly readwrite reset select time wait waitaof lolwut',
  read: 'bitcount bitfield_ro bitpos dbsize dump exists expiretime geodist geohash geopos georadius_ro georadiusbymember_ro geosearch get getbit getrange hexists hget hgetall hkeys hlen hmget hrandfield hscan hstrlen httl hpttl hexpiretime hpexpiretime hvals keys lcs lindex llen lpos lrange memory|usage mget object pexpiretime pfcount pttl randomkey scan scard sdiff sinter sintercard sismember smembers smismember sort_ro srandmember sscan strlen substr sunion touch ttl type xinfo xlen xpending xrange xread xrevrange zcard zcount zdiff zinter zintercard zlexcount zmscore zrandmember zrange zrangebylex zrangebyscore zrank zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion',
  write:
    'append bitfield bitop blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin copy decr decrby del expire expireat flushall flushdb geoadd georadius georadiusbymember geosearchstore getdel getex getset hdel hexpire hexpireat hgetdel hgetex hincrby hincrbyfloat hmset hpersist hpexpire hpexpireat hset hsetex hsetnx incr incrby incrbyfloat linsert lmove lmpop lpop lpush lpushx lrem lset ltrim move mset msetnx persist pexpire pexpireat pfadd pfdebug pfmerge psetex rename renamenx restore restore-asking rpop rpoplpush rpush rpushx sadd sdiffstore set setbit setex setnx setrange sinterstore smove sort spop srem sunionstore swapdb unlink xack xackdel xadd xautoclaim xclaim xdel xdelex xgroup xreadgroup xsetid xtrim zadd zdiffstore zincrby zinterstore zmpop zpopmax zpopmin zrangestore zrem zremrangebylex zremrangebyrank zremrangebyscore zunionstore',
  pubsub: 'publish psubscribe pubsub punsubscribe spublish ssubscribe subscribe sunsubscribe unsubscribe',
  transaction: 'discard exec multi unwatch watch',
  script: 'eval eval_ro evalsha evalsha_ro fcall fcall_ro function script',
  admin:
    'acl bgrewriteaof bgsave client cluster config debug failover info lastsave latency memory migrate module replicaof role save sentinel shutdown slaveof slowlog',
  monitor: 'monitor',
  replicate: 'psync replconf sync',
};

const classes: ReadonlyMap<string, CommandClass> = new Map(
  Object.entries(listed).flatMap(([name, words]) => words.split(' ').map((word) => [word, name as CommandClass])),
);

/** True where the second word of a command belongs to its name. */
export const isContainer = (command: string): boolean => containers.has(command);

/** The class of a command by its policy name, in lower case: `get`, `client|kill`. */
export const classOf = (command: string): CommandClass =>
  classes.get(command) ?? classes.get(command.split('|', 1)[0] ?? '') ?? 'other';
