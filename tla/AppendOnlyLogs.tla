-------------------------- MODULE AppendOnlyLogs --------------------------
(***************************************************************************)
(* What a group of Raft is for: one log that only grows, and members that  *)
(* know a prefix of it.  Every other statement about a group's safety is   *)
(* a means to this one.                                                    *)
(*                                                                         *)
(* A member's knowledge grows, and may fall back when the member restarts: *)
(* a commit index is not stored (Raft paper, figure 2).  It never becomes  *)
(* anything but a prefix of the truth.                                     *)
(*                                                                         *)
(* Sources: Ongaro and Ousterhout 2014 (extended), figure 3, State Machine *)
(* Safety; the log of a replicated state machine, section 2.               *)
(* Left out: who may extend the log, and when.  That is Raft's business.   *)
(***************************************************************************)
EXTENDS Naturals, Sequences

CONSTANTS Group,      \* the groups of a host; they have nothing in common
          Node,       \* the members of each group
          Entry,      \* what a log consists of
          MaxLength   \* bound of the configurations, not of the specification

VARIABLES truth,      \* truth[g]: all that was ever committed in g
          known       \* known[g][n]: the prefix of it that n knows to be committed

vars == <<truth, known>>

IsPrefix(s, t) == Len(s) <= Len(t) /\ s = SubSeq(t, 1, Len(s))

TypeOK ==
    /\ DOMAIN truth = Group /\ DOMAIN known = Group
    /\ \A g \in Group :
          /\ \A i \in DOMAIN truth[g] : truth[g][i] \in Entry
          /\ DOMAIN known[g] = Node

Init ==
    /\ truth = [g \in Group |-> <<>>]
    /\ known = [g \in Group |-> [n \in Node |-> <<>>]]

(* n commits: the log of g grows by `more`, and n knows all of it.          *)
Commit(g, n, more) ==
    /\ more # <<>>
    /\ truth' = [truth EXCEPT ![g] = @ \o more]
    /\ known' = [known EXCEPT ![g][n] = truth[g] \o more]

(* n learns of more.                                                        *)
Learn(g, n, length) ==
    /\ length \in Len(known[g][n]) + 1 .. Len(truth[g])
    /\ known' = [known EXCEPT ![g][n] = SubSeq(truth[g], 1, length)]
    /\ UNCHANGED truth

(* n restarts, and knows what its snapshot says.                            *)
Forget(g, n, length) ==
    /\ length < Len(known[g][n])
    /\ known' = [known EXCEPT ![g][n] = SubSeq(@, 1, length)]
    /\ UNCHANGED truth

(* The same three, written as a relation between two states, so that TLC    *)
(* can judge a step of a refinement without listing sequences of entries.   *)
Step ==
    \E g \in Group :
        /\ IsPrefix(truth[g], truth'[g])
        /\ truth' = [truth EXCEPT ![g] = truth'[g]]
        /\ \E n \in Node :
              /\ IsPrefix(known'[g][n], truth'[g])
              /\ \/ IsPrefix(known'[g][n], known[g][n]) /\ truth' = truth
                 \/ IsPrefix(known[g][n], known'[g][n])
              /\ truth'[g] # truth[g] => known'[g][n] = truth'[g]
              /\ known' = [known EXCEPT ![g] = [@ EXCEPT ![n] = known'[g][n]]]

Next ==
    \E g \in Group, n \in Node :
        \/ \E e \in Entry : Commit(g, n, <<e>>)
        \/ \E length \in 0 .. Len(truth[g]) : Learn(g, n, length) \/ Forget(g, n, length)

Spec == Init /\ [][Next]_vars

KnownIsTrue == \A g \in Group, n \in Node : IsPrefix(known[g][n], truth[g])

(* What a refinement is held to, wherever it begins.                        *)
Grows == KnownIsTrue /\ [][Step]_vars

Bounds == \A g \in Group : Len(truth[g]) <= MaxLength

-----------------------------------------------------------------------------
(* I-R5, State Machine Safety: any two members agree on what both know.     *)
I_R5 ==
    \A g \in Group, n, m \in Node :
        IsPrefix(known[g][n], known[g][m]) \/ IsPrefix(known[g][m], known[g][n])

(* I-R7 of the group: what is committed stays.                              *)
I_R7 == [][\A g \in Group : IsPrefix(truth[g], truth'[g])]_vars

THEOREM Spec => [](TypeOK /\ I_R5 /\ KnownIsTrue) /\ I_R7 /\ Grows
=============================================================================
