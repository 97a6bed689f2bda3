-------------------------------- MODULE Run --------------------------------
(* A peer of an old release is spoken to in version 0; after its upgrade    *)
(* the next connection has version 1, and other groups can be named.        *)
EXTENDS Naturals, Sequences

RunKinds == {"nuraft", "legacy", "auto1", "auto2", "extended1", "extended2", "next"}
RunDialer == "auto1"
RunAcceptor == "nuraft"
RunConnections == 3

Trace == <<
    [event |-> "Dial", connection |-> 1, state |-> "offered"],
    [event |-> "ReadFirst", connection |-> 1, state |-> "v0"],
    [event |-> "ReadAnswer", connection |-> 1, state |-> "v0"],
    [event |-> "Send", connection |-> 1, group |-> 0],
    [event |-> "Send", connection |-> 1, group |-> 0],
    [event |-> "ReadData", connection |-> 1, state |-> "v0", message |-> [group |-> 0, id |-> 1]],
    [event |-> "Change", end |-> "acceptor", kind |-> "extended1"],
    [event |-> "DialerNotices", connection |-> 1, state |-> "over"],
    [event |-> "Dial", connection |-> 2, state |-> "offered"],
    [event |-> "ReadFirst", connection |-> 2, state |-> "v1"],
    [event |-> "ReadAnswer", connection |-> 2, state |-> "v1"],
    [event |-> "Send", connection |-> 2, group |-> 1],
    [event |-> "ReadData", connection |-> 2, state |-> "v1", message |-> [group |-> 1, id |-> 1]],
    [event |-> "Break", connection |-> 2],
    [event |-> "DialerNotices", connection |-> 2, state |-> "over"],
    [event |-> "AcceptorNotices", connection |-> 2, state |-> "over"],
    [event |-> "Change", end |-> "dialer", kind |-> "legacy"],
    [event |-> "Dial", connection |-> 3, state |-> "v0"],
    [event |-> "ReadFirst", connection |-> 3, state |-> "over"]
>>
=============================================================================
