//! The simulator keeps its own promises: it is silent about a log that is right, and finds each rule's absence.

use clap::ValueEnum;

use super::{Rule, Simulation};

fn broken(seeds: u64, without: Option<Rule>) -> Option<(u64, String)> {
    (0..seeds).find_map(|seed| {
        let broken = Simulation::new(seed, without, false).run().err()?;
        Some((seed, broken))
    })
}

#[test]
fn with_all_rules_no_promise_is_broken() {
    assert_eq!(broken(300, None), None);
}

#[test]
fn without_any_one_rule_a_promise_is_broken_within_some_thousand_seeds() {
    for rule in Rule::value_variants() {
        assert!(broken(5_000, Some(*rule)).is_some(), "nothing is found without {rule:?}");
    }
}

#[test]
fn a_seed_that_breaks_a_promise_breaks_it_again() {
    let without = Some(Rule::CommandIds);
    let (seed, first) = broken(1_000, without).expect("it is found");
    let again = Simulation::new(seed, without, false).run();
    assert_eq!(again.err(), Some(first));
}
