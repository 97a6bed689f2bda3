------------------------------- MODULE Agree -------------------------------
(***************************************************************************)
(* What states of Raft look like from outside, for a comparison with       *)
(* another model of the same group.  `tla/check agree` collects it.        *)
(*                                                                         *)
(* Sources: those of Raft.                                                 *)
(* Left out: what is on disks and on its way, and which request is which.  *)
(***************************************************************************)
EXTENDS Raft

(* Where what was shown is kept.                                            *)
Register == 21

ASSUME TLCSet(Register, {})

Seen(n) ==
    LET s == node[n] IN
    <<s.term, s.role, s.vote, [i \in DOMAIN s.log |-> <<s.log[i].term, s.log[i].value > 0>>], s.commit>>

(* Always true: shows each once.                                            *)
Shown ==
    LET vector == [n \in Node |-> Seen(n)] IN
    vector \in TLCGet(Register) \/
        (TLCSet(Register, TLCGet(Register) \cup {vector}) /\ PrintT(<<"vector", vector>>))
=============================================================================
