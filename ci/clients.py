"""What python-etcd 0.4.5 does, against one member: called by ci/clients."""

import sys
import threading
import time

import etcd

host, port = sys.argv[1], int(sys.argv[2])


def client():
    return etcd.Client(host=host, port=port, allow_reconnect=True)


def refused(error, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except error:
        return
    raise AssertionError(f"no {error.__name__}")


c = client()
assert c.version.startswith("3.4") and c.leader["name"] == "default"
c.write("/py/a", "one")
assert c.read("/py/a").value == "one"
refused(etcd.EtcdAlreadyExist, c.write, "/py/a", "two", prevExist=False)
refused(etcd.EtcdCompareFailed, c.test_and_set, "/py/a", "two", "zero")
assert c.test_and_set("/py/a", "two", "one").value == "two"
node = c.read("/py/a")
node.value = "three"
assert c.update(node).value == "three"
refused(etcd.EtcdKeyNotFound, c.read, "/nothing")

c.write("/py/ttl", "x", ttl=2)
c.refresh("/py/ttl", ttl=50)
assert c.read("/py/ttl").ttl > 40

names = [c.write("/py/q", job, append=True).key for job in ("job1", "job2")]
assert names == sorted(names)
assert [item.value for item in c.read("/py/q", sorted=True).children] == ["job1", "job2"]
refused(etcd.EtcdNotFile, c.delete, "/py/q")

threading.Timer(0.3, lambda: client().write("/py/w/x", "seen")).start()
seen = c.watch("/py/w", recursive=True, timeout=10)
assert seen.value == "seen"
assert c.watch("/py/w", recursive=True, index=seen.modifiedIndex, timeout=10).value == "seen"
events = c.eternal_watch("/py", index=4, recursive=True)
assert [next(events).action for _ in range(3)] == ["set", "compareAndSwap", "compareAndSwap"]

lock = etcd.Lock(c, "work")
assert lock.acquire(blocking=True, lock_ttl=10) and lock.is_acquired
lock.release()
assert not lock.is_acquired

assert c.delete("/py", recursive=True, dir=True).action == "delete"
assert c.store_stats["setsSuccess"] > 0 and c.stats["name"] == "default"
while not c.machines:
    time.sleep(0.1)
