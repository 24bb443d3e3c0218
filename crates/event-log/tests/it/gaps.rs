//! A log that was damaged against every rule, and what it says of itself.

use std::cell::RefCell;

use crate::{
    counter::{Add, Counter, log, meta, owner, target},
    stream::add_at_once,
};
use meydan_event_log::gaps;

#[tokio::test]
async fn a_log_is_looked_through_page_by_page_and_tells_what_it_lacks() {
    let log = log().await;
    add_at_once(&log, 0..2_100).await;
    for n in 2_100..2_102 {
        log.execute::<Counter>(target(9_999), Add(1), &meta(n)).await.expect("it fits");
    }
    let told = RefCell::new(Vec::new());
    let found = gaps(&log, |at, end| told.borrow_mut().push((at, end))).await;
    assert_eq!(found.expect("it answers"), Vec::<String>::new());
    assert_eq!(told.take(), [(2_000, 2_102), (2_102, 2_102)]);

    let gone = &log.after(0, 49, 1).await.expect("it answers")[0];
    let damage = "SET session_replication_role = replica;
                  DELETE FROM es.events WHERE position = 50;
                  UPDATE es.events SET sequence = 3 WHERE position = 2101;
                  UPDATE es.events SET sequence = 1 WHERE position = 2102;
                  UPDATE es.events SET sequence = 2 WHERE position = 2101";
    sqlx::raw_sql(damage).execute(&mut owner(&log).await).await.expect("the owner may");

    let found = gaps(&log, |_, _| {}).await.expect("it answers");
    let (id, next) = (gone.aggregate_id, gone.sequence + 1);
    let expected = [
        "partition 0 has 2101 facts, but its last position is 2102".to_owned(),
        format!("counter {id} lacks the fact before its number {next}"),
        "1 facts stand before an earlier one of their aggregate".to_owned(),
    ];
    assert_eq!(found, expected);
}
