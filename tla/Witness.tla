------------------------------ MODULE Witness ------------------------------
(***************************************************************************)
(* That an interesting state is reached.  A law about truncation says      *)
(* nothing in a search in which no log is ever truncated.                  *)
(*                                                                         *)
(* Reached is always true; the first time that its condition holds it says *)
(* so.  `tla/check` compares what was said with the lines `reaches:` of    *)
(* the configuration.                                                      *)
(***************************************************************************)
EXTENDS Naturals, TLC

ASSUME \A slot \in 1 .. 20 : TLCSet(slot, 0)

Reached(slot, name, condition) ==
    IF TLCGet(slot) = 0 /\ condition
    THEN TLCSet(slot, 1) /\ PrintT(<<"reached", name>>)
    ELSE TRUE
=============================================================================
