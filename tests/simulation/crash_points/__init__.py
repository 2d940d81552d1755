"""Every call to the outside, broken in every way, and what becomes of the jobs.

breaker        the choke point: numbers the calls of processes and breaks those it is told to
labels         what a call is named, so that the same call is the same label in every run
cloud          the use cases on the real adapters: AWS in process, and the stand-in for Replicate
memory         the same on the in-memory ports, fast enough for pairs of kills
history        what goes on around the processes: clients, queues, the schedule, time
scenarios      the flows that are played; in scenarios_troubled the provider is at its worst,
               and troubled_provider is what makes it so; in scenarios_judged prompts and images are
               judged, and moderation is what users and operators do about it
photo_flows    flows of photos and of a model's deletion, with evidence of their own
witness        what may not be made or shown before it was judged, looked at whenever it happens
evidence       what must be true of everything that is stored, at the end
call_sites     where the adapters' source calls the outside
port_calls     where the use cases' source calls the ports
campaign       which faults of which calls are played, and what came of them
"""
