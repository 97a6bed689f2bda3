-------------------------------- MODULE Run --------------------------------
\* Written by model/tests/runs/negotiation.rs: paths of the model's world, each to what it shows.
EXTENDS Naturals, Sequences

RunKinds == {"nuraft", "legacy", "auto1", "extended1"}
RunDialer == "auto1"
RunAcceptor == "nuraft"
RunConnections == 7

Trace == <<
    \* NuRaft answered an offer
    [event |-> "Dial", connection |-> 1, state |-> "offered"],
    [event |-> "ReadFirst", connection |-> 1, state |-> "v0"],
    [event |-> "ReadAnswer", connection |-> 1, state |-> "v0"],
    \* a request of the default group arrived
    [event |-> "Send", connection |-> 1, group |-> 0],
    [event |-> "ReadData", connection |-> 1, state |-> "v0", message |-> [group |-> 0, id |-> 1]],
    \* a hello was cut
    [event |-> "Change", end |-> "dialer", kind |-> "extended1"],
    [event |-> "Dial", connection |-> 2, state |-> "offered"],
    \* version 1 was agreed
    [event |-> "Change", end |-> "dialer", kind |-> "auto1"],
    [event |-> "Change", end |-> "acceptor", kind |-> "auto1"],
    [event |-> "Dial", connection |-> 3, state |-> "offered"],
    [event |-> "ReadFirst", connection |-> 3, state |-> "v1"],
    \* a request of another group arrived
    [event |-> "ReadAnswer", connection |-> 3, state |-> "v1"],
    [event |-> "Send", connection |-> 3, group |-> 1],
    [event |-> "ReadData", connection |-> 3, state |-> "v1", message |-> [group |-> 1, id |-> 1]],
    \* break
    [event |-> "Break", connection |-> 3],
    \* end
    [event |-> "DialerNotices", connection |-> 3, state |-> "over"],
    \* end
    [event |-> "AcceptorNotices", connection |-> 3, state |-> "over"],
    \* two connections lived at once
    [event |-> "Dial", connection |-> 4, state |-> "offered"],
    [event |-> "Change", end |-> "dialer", kind |-> "legacy"],
    [event |-> "Dial", connection |-> 5, state |-> "v0"],
    \* ends without a common version parted
    [event |-> "Change", end |-> "dialer", kind |-> "extended1"],
    [event |-> "Change", end |-> "acceptor", kind |-> "legacy"],
    [event |-> "Dial", connection |-> 6, state |-> "offered"],
    [event |-> "ReadFirst", connection |-> 6, state |-> "over"],
    \* a second answer of version 0 arrived
    [event |-> "Change", end |-> "dialer", kind |-> "legacy"],
    [event |-> "Change", end |-> "acceptor", kind |-> "nuraft"],
    [event |-> "Dial", connection |-> 7, state |-> "v0"],
    [event |-> "Send", connection |-> 7, group |-> 0],
    [event |-> "Send", connection |-> 7, group |-> 0],
    [event |-> "ReadFirst", connection |-> 7, state |-> "v0"],
    [event |-> "ReadData", connection |-> 7, state |-> "v0", message |-> [group |-> 0, id |-> 1]],
    [event |-> "ReadData", connection |-> 7, state |-> "v0", message |-> [group |-> 0, id |-> 2]]
>>
=============================================================================
