-------------------------------- MODULE Run --------------------------------
\* Written by model/tests/runs/dispatcher.rs: paths of the model's world, each to what it shows.
EXTENDS Naturals, Sequences

RunGroups == 0 .. 1
RunConnections == {"extended", "legacy"}
RunIncarnations == 2
RunLives == 4
RunCapacity == 2

Trace == <<
    \* a frame of an unknown group was answered
    [event |-> "Send", connection |-> "extended", group |-> 0, incarnation |-> 1, frame |-> 1],
    [event |-> "Lookup", connection |-> "extended", frame |-> 1, end |-> "refused"],
    \* a frame without an incarnation was handled
    [event |-> "Send", connection |-> "legacy", group |-> 0, incarnation |-> 1, frame |-> 2],
    [event |-> "Register", group |-> 0, incarnation |-> 1],
    [event |-> "Lookup", connection |-> "legacy", frame |-> 2, end |-> ""],
    [event |-> "Put", connection |-> "legacy", frame |-> 2, end |-> ""],
    [event |-> "Deliver", group |-> 0, frame |-> 2, end |-> "delivered"],
    \* a taken number was refused
    [event |-> "Refuse", group |-> 0, incarnation |-> 1],
    \* a mailbox was full
    [event |-> "Send", connection |-> "extended", group |-> 0, incarnation |-> 1, frame |-> 3],
    [event |-> "Send", connection |-> "extended", group |-> 0, incarnation |-> 1, frame |-> 4],
    [event |-> "Send", connection |-> "extended", group |-> 0, incarnation |-> 1, frame |-> 5],
    [event |-> "Lookup", connection |-> "extended", frame |-> 3, end |-> ""],
    [event |-> "Put", connection |-> "extended", frame |-> 3, end |-> ""],
    [event |-> "Lookup", connection |-> "extended", frame |-> 4, end |-> ""],
    [event |-> "Put", connection |-> "extended", frame |-> 4, end |-> ""],
    [event |-> "Lookup", connection |-> "extended", frame |-> 5, end |-> ""],
    [event |-> "Put", connection |-> "extended", frame |-> 5, end |-> "dropped"],
    \* two messages of one stream were handled
    [event |-> "Deliver", group |-> 0, frame |-> 3, end |-> "delivered"],
    \* a group stopped while messages waited
    [event |-> "Deregister", group |-> 0],
    \* a group stopped between the reading and the posting of its frame
    [event |-> "Send", connection |-> "extended", group |-> 0, incarnation |-> 1, frame |-> 6],
    [event |-> "Register", group |-> 0, incarnation |-> 1],
    [event |-> "Lookup", connection |-> "extended", frame |-> 6, end |-> ""],
    [event |-> "Deregister", group |-> 0],
    [event |-> "Put", connection |-> "extended", frame |-> 6, end |-> "refused"],
    \* a removed life was refused
    [event |-> "Register", group |-> 0, incarnation |-> 1],
    [event |-> "Entomb", group |-> 0],
    [event |-> "Leave", group |-> 0],
    [event |-> "Wipe", group |-> 0],
    [event |-> "Refuse", group |-> 0, incarnation |-> 1],
    \* a frame was handled by a later life of its group
    [event |-> "Send", connection |-> "extended", group |-> 1, incarnation |-> 2, frame |-> 7],
    [event |-> "Register", group |-> 1, incarnation |-> 2],
    [event |-> "Lookup", connection |-> "extended", frame |-> 7, end |-> ""],
    [event |-> "Put", connection |-> "extended", frame |-> 7, end |-> ""],
    [event |-> "Deliver", group |-> 1, frame |-> 7, end |-> "delivered"],
    \* a frame of an earlier life was refused while a later one was registered
    [event |-> "Send", connection |-> "extended", group |-> 1, incarnation |-> 1, frame |-> 8],
    [event |-> "Lookup", connection |-> "extended", frame |-> 8, end |-> "refused"]
>>
=============================================================================
