--------------------------- MODULE AtomicPersist ---------------------------
(***************************************************************************)
(* What a group is told about its disk: writes take effect whole and in    *)
(* their order, those that were synced stay, and a crash loses a suffix of *)
(* the others.                                                             *)
(*                                                                         *)
(* Sources: Raft paper, figure 2, "updated on stable storage before        *)
(* responding"; dissertation, section 3.8.                                 *)
(* Left out: how a disk does it.  That is Storage.                         *)
(***************************************************************************)
EXTENDS Naturals, Sequences

VARIABLES written,  \* the writes that took effect, in order
          synced    \* how many of them will survive a crash

vars == <<written, synced>>

IsPrefix(s, t) == Len(s) <= Len(t) /\ s = SubSeq(t, 1, Len(s))

Init == written = <<>> /\ synced = 0

Write ==
    /\ Len(written') = Len(written) + 1
    /\ IsPrefix(written, written')
    /\ UNCHANGED synced

Sync ==
    /\ synced' \in synced + 1 .. Len(written)
    /\ UNCHANGED written

(* What is left after a crash was read back, so it stays.                   *)
Crash ==
    /\ IsPrefix(SubSeq(written, 1, synced), written')
    /\ IsPrefix(written', written)
    /\ synced' = Len(written')

Next == Write \/ Sync \/ Crash

Spec == Init /\ [][Next]_vars
=============================================================================
