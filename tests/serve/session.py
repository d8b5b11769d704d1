"""What a program does with redis-py: PORT, PROTOCOL. Says so if everything was as it should be."""

import sys
import threading
import time

import redis

port, protocol = int(sys.argv[1]), int(sys.argv[2])
r = redis.Redis(port=port, protocol=protocol, decode_responses=True, client_name="script")
r.flushall()
assert r.ping()
assert r.client_getname() == "script"

# Every type.
assert r.set("s", "text", ex=100) and r.get("s") == "text" and 0 < r.ttl("s") <= 100
assert r.incrby("n", 5) == 5 and r.incrbyfloat("f", 1.5) == 1.5
assert r.rpush("l", *range(10)) == 10 and r.lrange("l", 0, 2) == ["0", "1", "2"]
assert r.hset("h", mapping={"a": 1, "b": 2}) == 2 and r.hgetall("h") == {"a": "1", "b": "2"}
assert r.sadd("set", "x", "y") == 2 and r.smembers("set") == {"x", "y"}
assert r.zadd("z", {"m": 1.5, "n": 2}) == 2 and r.zscore("z", "m") == 1.5
assert [list(pair) for pair in r.zrange("z", 0, -1, withscores=True)] == [["m", 1.5], ["n", 2.0]]
first = r.xadd("x", {"field": "value"}, id="1-1")
assert first == "1-1" and r.xlen("x") == 1
assert r.setbit("bits", 7, 1) == 0 and r.bitcount("bits") == 1
assert r.pfadd("hll", "a", "b") and r.pfcount("hll") == 2
assert r.geoadd("geo", (13.361389, 38.115556, "Palermo")) == 1

# Pipelines and transactions.
with r.pipeline(transaction=False) as pipe:
    for i in range(1000):
        pipe.set(f"key:{i}", i)
    assert all(pipe.execute())
with r.pipeline(transaction=True) as pipe:
    pipe.watch("n")
    pipe.multi()
    pipe.incr("n").incr("n")
    assert pipe.execute() == [6, 7]
with r.pipeline() as pipe:
    pipe.watch("n")
    r.incr("n")
    pipe.multi()
    pipe.incr("n")
    try:
        pipe.execute()
        raise AssertionError("a watched key was changed")
    except redis.WatchError:
        pass

# Scans see everything.
assert len(set(r.scan_iter("key:*", count=50))) == 1000
assert dict(r.hscan_iter("h")) == {"a": "1", "b": "2"}
assert r.dbsize() == 1011

# Scripts.
assert r.eval("return redis.call('incrby', KEYS[1], ARGV[1])", 1, "n", 10) == 18
assert r.register_script("return {1, 'two', false}")() == [1, "two", None]

# Waiting.
other = redis.Redis(port=port, protocol=protocol, decode_responses=True)
got = []
waiter = threading.Thread(target=lambda: got.append(other.blpop("queue", timeout=20)))
waiter.start()
while r.info("clients")["blocked_clients"] == 0:
    time.sleep(0.01)
r.rpush("queue", "work")
waiter.join()
assert list(got[0]) == ["queue", "work"]
assert r.blpop("queue", timeout=0.05) is None

# About the server.
assert r.info("server")["redis_mode"] == "standalone"
assert int(r.config_get("port")["port"]) == port
assert r.config_set("timeout", 0)
assert r.command_count() > 200
assert any(client["name"] == "script" for client in r.client_list())
try:
    r.execute_command("SUBSCRIBE", "x")
    raise AssertionError("there are no subscriptions")
except redis.ResponseError as err:
    assert "cannot run SUBSCRIBE" in str(err)
try:
    r.lpush("s", "x")
    raise AssertionError("a string is no list")
except redis.ResponseError as err:
    assert str(err).startswith("WRONGTYPE")
print("all as it should be")
