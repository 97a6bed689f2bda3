------------------------------ MODULE Storage ------------------------------
(***************************************************************************)
(* One node's journal: batches of many groups in one file, one sync for    *)
(* all, and recovery from what a crash leaves.                             *)
(*                                                                         *)
(* A batch is Parts cells, one behind the other; think of its pages, or of *)
(* the shares of its groups.  Each cell carries the number of its batch in *)
(* the file, the batch's checksum (here: an identity), and which part it   *)
(* is.  Until a sync, cells reach the platter in any order: a crash keeps  *)
(* any subset of the cells that were not synced, so the tail may be torn   *)
(* in the middle of a batch, or lack a batch before one that is whole.     *)
(*                                                                         *)
(* Recovery reads batches from the beginning while they are whole and in   *)
(* order, cuts the rest off, and syncs the cut before anything is written  *)
(* behind it.  Without the cut a whole batch of an earlier life, behind    *)
(* the torn one, would come back as soon as the gap is filled.             *)
(*                                                                         *)
(* Sources: dissertation, section 3.8; the wire document and the design    *)
(* say "one sync for many groups" and "a crash loses a suffix only".       *)
(* Left out: damage to what was synced, a sync that fails (the process     *)
(* ends, and this is its crash), rotation of files, compaction.            *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets, Witness

CONSTANTS Parts, MaxBatches, MaxCrashes

VARIABLES file,     \* what a reader of the file sees: a sequence of cells
          platter,  \* what a crash leaves at least: the cells as of the last sync
          journal,  \* the batches of this life, recovered ones first: their identities
          durable,  \* how many of them the writers were told are durable
          phase,    \* "open", or "recovering"
          count,    \* batches ever written; the next identity
          crashes

vars == <<file, platter, journal, durable, phase, count, crashes>>

Torn == [batch |-> 0, number |-> 0, part |-> 0]

Cells(identity, number) == [p \in 1 .. Parts |-> [batch |-> identity, number |-> number, part |-> p]]

(* The batches that recovery finds in these cells.                          *)
WholeAt(cells, k) ==
    /\ k * Parts <= Len(cells)
    /\ LET first == cells[(k - 1) * Parts + 1] IN
       \A p \in 1 .. Parts :
          cells[(k - 1) * Parts + p] = [batch |-> first.batch, number |-> k, part |-> p]

Recovered(cells) ==
    LET whole == CHOOSE k \in 0 .. Len(cells) :
                    /\ \A j \in 1 .. k : WholeAt(cells, j)
                    /\ ~WholeAt(cells, k + 1)
    IN  [k \in 1 .. whole |-> cells[(k - 1) * Parts + 1].batch]

CutAt(cells, batches) == SubSeq(cells, 1, batches * Parts)

Init ==
    /\ file = <<>> /\ platter = <<>> /\ journal = <<>> /\ durable = 0
    /\ phase = "open" /\ count = 0 /\ crashes = 0

(* A batch goes behind the last one, over whatever lies there.              *)
Write ==
    LET number == Len(journal) + 1
        end == number * Parts
    IN
    /\ phase = "open" /\ count < MaxBatches
    /\ file' = CutAt(file, number - 1) \o Cells(count + 1, number)
                 \o SubSeq(file, end + 1, Len(file))
    /\ journal' = Append(journal, count + 1)
    /\ count' = count + 1
    /\ UNCHANGED <<platter, durable, phase, crashes>>

(* One sync for all that was written; only then are the writers told.       *)
Sync ==
    /\ phase = "open" /\ durable < Len(journal)
    /\ platter' = file
    /\ durable' = Len(journal)
    /\ UNCHANGED <<file, journal, phase, count, crashes>>

(* Of the cells in which file and platter differ, each is the new or the    *)
(* old one; where there was none, it may be missing, which reads as torn.   *)
Crash ==
    LET old(i) == IF i <= Len(platter) THEN platter[i] ELSE Torn
        new(i) == IF i <= Len(file) THEN file[i] ELSE Torn
        length == IF Len(file) > Len(platter) THEN Len(file) ELSE Len(platter)
        open == {i \in 1 .. length : old(i) # new(i)}
    IN
    /\ crashes < MaxCrashes
    /\ \E kept \in SUBSET open :
          LET left == [i \in 1 .. length |-> IF i \in kept THEN new(i) ELSE old(i)]
          IN  file' = left /\ platter' = left
    /\ phase' = "recovering"
    /\ crashes' = crashes + 1
    /\ UNCHANGED <<journal, durable, count>>

(* Recovery cuts; the cut is durable before the journal is open.  A crash   *)
(* before the cut is durable is a crash before recovery.                    *)
Recover ==
    LET batches == Recovered(file)
        cut == CutAt(file, Len(batches))
    IN
    /\ phase = "recovering"
    /\ file' = cut /\ platter' = cut
    /\ journal' = batches
    /\ durable' = Len(batches)
    /\ phase' = "open"
    /\ UNCHANGED <<count, crashes>>

Next == Write \/ Sync \/ Crash \/ Recover

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
IsPrefix(s, t) == Len(s) <= Len(t) /\ s = SubSeq(t, 1, Len(s))

TypeOK ==
    /\ \A cells \in {file, platter} : \A i \in DOMAIN cells :
          /\ cells[i].batch \in 0 .. MaxBatches /\ cells[i].part \in 0 .. Parts
    /\ durable \in 0 .. Len(journal)
    /\ phase \in {"open", "recovering"}
    /\ count \in 0 .. MaxBatches

(* DUTY-2: what was told to be durable is found by any recovery.            *)
SyncedSurvives == IsPrefix(SubSeq(journal, 1, durable), Recovered(platter))

(* The file of a running node reads as its journal: nothing else is behind. *)
FileIsJournal == phase = "open" => Recovered(file) = journal

(* F4.  While the node is down, what took effect is what it will find.      *)
Persist == INSTANCE AtomicPersist WITH
    written <- IF phase = "open" THEN journal ELSE Recovered(file),
    synced <- IF phase = "open" THEN durable ELSE Len(Recovered(file))

F4 == Persist!Spec

(* Every restart ends.                                                      *)
Fairness == WF_vars(Recover)
LiveSpec == Spec /\ Fairness
Opens == phase = "recovering" ~> phase = "open"

THEOREM Spec => [](TypeOK /\ SyncedSurvives /\ FileIsJournal) /\ F4
THEOREM LiveSpec => Opens

Witnesses ==
    /\ Reached(1, "a torn batch", phase = "recovering" /\ \E i \in DOMAIN file :
            file[i].part > 1 /\ file[i - 1].batch # file[i].batch)
    /\ Reached(2, "a whole batch behind a torn one", phase = "recovering" /\
            \E k \in 2 .. MaxBatches : WholeAt(file, k) /\ ~WholeAt(file, k - 1))
    /\ Reached(3, "a synced batch before a torn one", phase = "recovering" /\ durable > 0 /\
            Len(file) > Len(Recovered(file)) * Parts)
    /\ Reached(4, "a batch over a lost one", phase = "open" /\ crashes > 0 /\ \E i \in DOMAIN journal : journal[i] > i)
    /\ Reached(5, "a crash after a crash", crashes = 2)
=============================================================================
