"""Discrete-event simulation with asyncio: ordinary coroutines in the virtual time of a SimPy environment.

Nothing here knows of chats or databases. For somebody who knows asyncio:

- `loop`: `run` is `asyncio.run` in virtual time, and `SimPyEventLoop` the event loop. Tasks, queues, locks,
  `asyncio.sleep` and `asyncio.timeout` work as always; threads, sockets and subprocesses do not exist.
- `handles`: the loop's callbacks, timers and tasks
- `suspension`: in which calls a task is suspended; `StalledError`, when nothing is left to happen
- `interpreter`: what of the interpreter is changed for the length of a run
- `determinism`: `run_twice` compares two runs, callback by callback

For somebody who knows SimPy:

- The environment is ``current_loop().env``. In a coroutine, `SimPyEventLoop.wait` waits for a SimPy event or process.
  For a process, `SimPyEventLoop.event` makes a SimPy event of a coroutine.
- `cpu`: `CPU`, a `simpy.Resource` with a core for each slot, and the time that it was busy

For a network of machines:

- `network`: hosts, connections with flow control, and faults: cut, partition, slow
- `links`: latency and bandwidth, and which link connects which hosts or regions
"""
