//! What every function of this package does when Lambda starts it.

#[test]
fn every_function_asks_for_an_invocation_or_names_a_variable_that_is_not_set() {
    holdfast_testkit::started::check("events", env!("CARGO_BIN_EXE_events-relay"), &[]);
}
