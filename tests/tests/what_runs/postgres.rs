//! A client of PostgreSQL in a unikernel, and the server that Debian has.

use system_tests::{Network, Postgres};

use super::build;

#[test]
#[ignore = "needs root and a PostgreSQL: ci/long deploy"]
fn a_unikernel_keeps_its_state_in_postgresql() {
    let guest = build("postgres");
    let postgres = Postgres::create();
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        let _server = postgres.start();
        let guest = guest
            .option("--net:service=tap0")
            .argument("--ipv4=10.0.0.2/24");
        let password = |password: &str| format!("--password={password}");
        for start in 1..=3 {
            let outcome = guest.clone().argument(password(Postgres::PASSWORD)).run();
            assert!(
                outcome.stdout.ends_with(&format!("start {start}\n")),
                "{outcome}"
            );
            assert_eq!(outcome.status, 0, "{outcome}");
        }
        let outcome = guest.argument(password("wrong")).run();
        assert_eq!(outcome.status, 1, "{outcome}");
        assert!(
            outcome.stdout.contains("password authentication failed"),
            "{outcome}"
        );
    });
}
