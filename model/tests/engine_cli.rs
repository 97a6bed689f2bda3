//! The command line over a catalog of toys: exit codes, files, verdicts.

mod toy;

use std::{fs, path::Path};

use roadstead_model::{
    catalog::{Catalog, CoverageRow, Tier},
    cli::run,
    engine::{Unwatched, breadth::Limits, walk::Plan},
    report::{CrossCheck, Saved, Verdict, check, disorder, hunt, mutants_document},
};
use toy::{Action, HONEST, Toy};

const RUDE: Toy = Toy { rude_after: Some(1), ..HONEST };
const TWIN: &[&str] = &["T-1"];

/// 462 states: a member that is not inside is in one of 4 + 3 states, one that is inside in one of 3; C(10,4) multisets of four without, 3 · C(9,3) with one.
///
/// A world whose sights are all seen somewhere, but for pigs that fly.
fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    let toy = catalog.world("toy", "members and a mutex");
    toy.search("toy-quick", Tier::Quick, "4 members, 3 visits", HONEST).golden(462, 36);
    toy.walks("toy-swarm", Tier::Ci, "6 members, 9 visits", Toy { members: 6, visits_max: 9, ..HONEST }, Plan::steps(1, 50_000));
    toy.mutant("B-T1", "forgets the mutex", "nobody", TWIN).breadth("4 members", RUDE, Limits::DEFAULT);
    toy.mutant("B-T2", "forgets the mutex late", "nobody", TWIN)
        .breadth("too few states", Toy { rude_after: Some(2), ..HONEST }, Limits::states(10))
        .walks("6 members", Toy { members: 6, rude_after: Some(2), ..HONEST }, Plan::steps(1, 1_000_000));
    let script = [Action::Ask(0), Action::Ask(1), Action::Enter(0), Action::Enter(1)];
    toy.mutant("B-T3", "forgets the mutex at once", "nobody", TWIN).script("two ask", Toy { rude_after: Some(0), ..HONEST }, &script);
    toy.mutant("B-T4", "lets nobody in often enough", "nobody", &[])
        .breadth("no visit", Toy { visits_max: 0, ..HONEST }, Limits::DEFAULT)
        .blinds(&["someone is inside"]);
    toy.control("B-T5", "nothing", "nobody").breadth("4 members", HONEST, Limits::DEFAULT);
    toy.coverage(|| vec![row("enter", &["toy-quick"], None), row("fly", &[], Some("pigs have no wings"))]);
    catalog
}

fn row(rule: &str, reached_by: &[&'static str], excuse: Option<&'static str>) -> CoverageRow {
    CoverageRow { rule: rule.to_owned(), outcome: "yes".to_owned(), role: "member".to_owned(), reached_by: reached_by.to_vec(), excuse }
}

fn command(catalog: &Catalog, line: &str, save: &Path) -> u8 {
    let mut arguments = vec!["roadstead-model"];
    arguments.extend(line.split(' '));
    let save = save.to_str().unwrap();
    if ["check", "walk", "mutants"].contains(&arguments[1]) {
        arguments.extend(["--save", save]);
    }
    run(catalog, arguments)
}

/// A folder of its own for each test.
fn folder(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn green_is_0_and_a_sight_that_no_run_saw_is_not_green() {
    let catalog = catalog();
    let save = folder("green");
    for line in ["check --config quick", "check toy-quick --cross-check --sights", "check toy-swarm --json", "walk toy-swarm --steps 1000"]
    {
        assert_eq!(command(&catalog, line, &save), 0, "{line}");
    }
    // Pigs do not fly, and the whole run must say so.
    assert_eq!(command(&catalog, "check --config ci", &save), 1);
    assert_eq!(command(&catalog, "list --laws", &save), 0);
    assert_eq!(command(&catalog, "coverage", &save), 0);
    assert_eq!(command(&catalog, "--help", &save), 0);
}

#[test]
fn wrong_usage_is_2() {
    let save = folder("usage");
    for line in [
        "check nothing",
        "walk nothing",
        "mutants nothing",
        "explore nothing",
        "list nothing",
        "coverage nothing",
        "fly",
        "check --config daily",
    ] {
        assert_eq!(command(&catalog(), line, &save), 2, "{line}");
    }
}

#[test]
fn a_golden_count_that_differs_fails_and_says_how_to_change_it() {
    let mut catalog = Catalog::default();
    catalog.world("toy", "").search("toy-quick", Tier::Quick, "", HONEST).golden(314, 35);
    let checked = check(catalog.configurations().next().unwrap(), CrossCheck::Small, 1, &Unwatched);
    assert_eq!(checked.cross_checked, Some(checked.states));
    assert!(!checked.green());
    assert!(
        checked.failures[0].contains("314 to depth 35 are golden") && checked.failures[0].contains(".golden(462, 36)"),
        "{:?}",
        checked.failures
    );
    assert_eq!(command(&catalog, "check", &folder("golden")), 1);
}

#[test]
fn a_search_that_gives_up_fails_where_a_count_is_golden() {
    let mut catalog = Catalog::default();
    catalog.world("toy", "").search("toy-quick", Tier::Quick, "", HONEST).golden(462, 36).limits(Limits::states(10));
    assert_eq!(command(&catalog, "check", &folder("limit")), 1);
}

#[test]
fn a_counterexample_is_saved_and_replayed() {
    let mut catalog = Catalog::default();
    let toy = catalog.world("toy", "");
    toy.search("toy-rude", Tier::Quick, "", RUDE);
    toy.walks("toy-rude-swarm", Tier::Quick, "", RUDE, Plan::steps(1, 1_000_000));
    let save = folder("saved");
    assert_eq!(command(&catalog, "check", &save), 1);
    for name in ["toy-rude", "toy-rude-swarm"] {
        let file = save.join(format!("{name}.json"));
        let saved: Saved = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!((saved.law.as_str(), saved.story.len(), saved.origin.configuration.as_str()), ("T-1", 7, name));
        // It breaks again: 1.
        assert_eq!(command(&catalog, &format!("replay {}", file.display()), &save), 1);
        // In a world without the mistake the last action is not possible: 1, with other words.
        let mut mended = Catalog::default();
        mended.world("toy", "").search("toy-rude", Tier::Quick, "", HONEST);
        assert!(saved.origin.system(&mended).is_none_or(|system| system.script(&saved.actions).is_err()));
    }
}

#[test]
fn mutants_are_killed_by_what_their_rows_name() {
    let catalog = catalog();
    let hunted: Vec<_> = catalog.mutants().map(|mutant| hunt(mutant, 2, &Unwatched)).collect();
    let fared: Vec<_> = hunted.iter().map(|one| (one.id, &one.verdict, one.engine, one.depth())).collect();
    assert_eq!(
        fared,
        [
            ("B-T1", &Verdict::Killed, "breadth-first", Some(7)),
            ("B-T2", &Verdict::Killed, "random walk", Some(10)),
            ("B-T3", &Verdict::Killed, "script", Some(4)),
            ("B-T4", &Verdict::Blind, "breadth-first", None),
            ("B-T5", &Verdict::Green, "breadth-first", None),
        ]
    );
    let document = mutants_document(&hunted);
    assert!(document.contains("4 of 4 mutants are killed, 1 of 1 negative controls are green."));
    assert!(document.contains("### B-T3: forgets the mutex at once") && document.contains("\n4. Enter(1): "));
    let save = folder("mutants");
    assert_eq!(command(&catalog, "mutants", &save), 0);
    let file = save.join("mutants.md");
    assert_eq!(command(&catalog, &format!("mutants --markdown {}", file.display()), &save), 0);
    assert_eq!(fs::read_to_string(file).unwrap(), document);
    assert_eq!(command(&catalog, "mutants B-T2", &save), 0);
    assert_eq!(command(&catalog, &format!("replay {}", save.join("B-T2.json").display()), &save), 1);
}

#[test]
fn a_mutant_that_survives_fails_and_so_does_a_control_that_does_not() {
    let save = folder("survivors");
    let fares = |register: fn(&mut Catalog), verdict: Verdict| {
        let mut catalog = Catalog::default();
        register(&mut catalog);
        assert_eq!(hunt(catalog.mutants().next().unwrap(), 1, &Unwatched).verdict, verdict);
        assert_eq!(command(&catalog, "mutants", &save), 1);
    };
    fares(|all| _ = all.world("toy", "").mutant("B-S", "", "", TWIN).breadth("", HONEST, Limits::DEFAULT), Verdict::Survived);
    fares(|all| _ = all.world("toy", "").mutant("B-S", "", "", &["T-2"]).breadth("", RUDE, Limits::DEFAULT), Verdict::WrongLaw);
    fares(|all| _ = all.world("toy", "").mutant("B-S", "", "", TWIN).script("", RUDE, &[Action::Leave(0)]), Verdict::Survived);
    fares(|all| _ = all.world("toy", "").control("B-S", "", "").breadth("", RUDE, Limits::DEFAULT), Verdict::Convicted);
}

#[test]
fn coverage_fails_for_a_row_that_nobody_reaches() {
    let mut catalog = Catalog::default();
    catalog.world("toy", "").coverage(|| vec![row("enter", &[], None)]);
    assert_eq!(command(&catalog, "coverage", &folder("coverage")), 1);
    assert_eq!(command(&Catalog::default(), "coverage", &folder("coverage")), 1, "nothing counted is nothing shown");
    let mut catalog = Catalog::default();
    catalog.world("toy", "").coverage(|| vec![row("enter", &["toy-quick"], Some("it cannot be"))]);
    assert_eq!(command(&catalog, "coverage", &folder("coverage")), 1, "an excuse that is refuted");
}

#[test]
fn a_catalog_says_what_is_not_in_order() {
    assert_eq!(disorder(&catalog()), Vec::<String>::new());
    let mut wrong = catalog();
    let toy = wrong.world("other", "");
    toy.search("toy-quick", Tier::Quick, "", HONEST);
    toy.mutant("B-T9", "", "", &["T-9"]).breadth("b", HONEST, Limits::DEFAULT).blinds(&["cows fly"]);
    toy.mutant("B-T8", "", "", &[]);
    let wrong = disorder(&wrong);
    assert_eq!(
        wrong,
        [
            "toy-quick is the name of two things",
            "B-T9: T-9 is no law of \"b\"",
            "B-T9: \"cows fly\" is no sight of \"b\"",
            "B-T8 is not hunted",
            "B-T8: nothing may convict it",
        ]
    );
}
