-------------------------------- MODULE Run --------------------------------
(* Group 7 is removed while a frame for it is in a router's hand, and comes *)
(* back as another incarnation; group 8 is served all the while.            *)
EXTENDS Naturals, Sequences

RunGroups == {7, 8}
RunConnections == {"c1", "c2"}
RunIncarnations == 2
RunLives == 4
RunCapacity == 1

Trace == <<
    [event |-> "Register", group |-> 7, incarnation |-> 1],
    [event |-> "Refuse", group |-> 7, incarnation |-> 1],
    [event |-> "Register", group |-> 8, incarnation |-> 1],
    [event |-> "Send", connection |-> "c1", group |-> 7, incarnation |-> 1, frame |-> 1],
    [event |-> "Send", connection |-> "c1", group |-> 8, incarnation |-> 1, frame |-> 2],
    [event |-> "Send", connection |-> "c2", group |-> 7, incarnation |-> 1, frame |-> 3],
    [event |-> "Send", connection |-> "c1", group |-> 7, incarnation |-> 2, frame |-> 4],
    [event |-> "Lookup", connection |-> "c1", frame |-> 1, end |-> ""],
    [event |-> "Lookup", connection |-> "c2", frame |-> 3, end |-> ""],
    [event |-> "Put", connection |-> "c1", frame |-> 1, end |-> ""],
    [event |-> "Deliver", group |-> 7, frame |-> 1, end |-> "delivered"],
    [event |-> "Entomb", group |-> 7],
    [event |-> "Leave", group |-> 7],
    [event |-> "Put", connection |-> "c2", frame |-> 3, end |-> "refused"],
    [event |-> "Lookup", connection |-> "c1", frame |-> 2, end |-> ""],
    [event |-> "Put", connection |-> "c1", frame |-> 2, end |-> ""],
    [event |-> "Wipe", group |-> 7],
    [event |-> "Refuse", group |-> 7, incarnation |-> 1],
    [event |-> "Register", group |-> 7, incarnation |-> 2],
    [event |-> "Lookup", connection |-> "c1", frame |-> 4, end |-> ""],
    [event |-> "Put", connection |-> "c1", frame |-> 4, end |-> ""],
    [event |-> "Send", connection |-> "c1", group |-> 8, incarnation |-> 1, frame |-> 5],
    [event |-> "Lookup", connection |-> "c1", frame |-> 5, end |-> ""],
    [event |-> "Put", connection |-> "c1", frame |-> 5, end |-> "dropped"],
    [event |-> "Deliver", group |-> 8, frame |-> 2, end |-> "delivered"],
    [event |-> "Deliver", group |-> 7, frame |-> 4, end |-> "delivered"],
    [event |-> "Crash"],
    [event |-> "Register", group |-> 8, incarnation |-> 1]
>>
=============================================================================
