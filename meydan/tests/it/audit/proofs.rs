//! Proofs of single entries, judged by a program that has nothing of Meydan.

use std::process::Stdio;

use serde_json::Value;
use tokio::{io::AsyncWriteExt, process::Command};

use super::ground::Copy;

/// Whether the judge believes a proof, and what it said.
async fn judged(key: &str, proof: &str) -> (bool, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/audit/judge.py");
    let mut judge = Command::new("python3")
        .args([script, key])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 is there");
    let mut input = judge.stdin.take().expect("its input is ours");
    input.write_all(proof.as_bytes()).await.expect("it reads");
    drop(input);
    let judged = judge.wait_with_output().await.expect("it ends");
    (judged.status.success(), String::from_utf8_lossy(&judged.stderr).into_owned())
}

#[tokio::test]
async fn every_entry_is_proved_to_a_judge_of_its_own_and_no_changed_one_is() {
    let copy = Copy::new().await;
    let told = copy.run(&["audit", "verify", "--json"]).await.stdout;
    let told: Value = serde_json::from_slice(&told).expect("it is JSON");
    let key = told["key"].as_str().expect("the key is told");
    for log in ["identity", "crm", "bot-hub"] {
        for position in ["1", "2", "5"] {
            let output = copy.run(&["audit", "prove", log, position]).await;
            let proof = String::from_utf8(output.stdout).expect("it writes text");
            let (believed, said) = judged(key, &proof).await;
            assert!(believed, "{log} {position}: {said} {proof}");
        }
    }
    let proof = copy.run(&["audit", "prove", "crm", "2"]).await.stdout;
    let proof: Value = serde_json::from_slice(&proof).expect("it is JSON");
    for (field, from, to) in [("leaf", "\"v\":1", "\"v\":2"), ("checkpoint", "\n20", "\n21")] {
        let mut changed = proof.clone();
        changed[field] = proof[field].as_str().expect("a text").replacen(from, to, 1).into();
        assert_ne!(changed, proof);
        let (believed, said) = judged(key, &changed.to_string()).await;
        assert!(!believed && said.contains("Traceback"), "{field}: {said}");
    }
}

#[tokio::test]
async fn nothing_is_proved_of_rows_that_were_changed_and_of_facts_that_never_were() {
    let copy = Copy::new().await;
    copy.harm(
        "audit",
        "UPDATE entries SET at = at - interval '1 day' WHERE log = 'crm' AND position = 2",
    )
    .await;

    let changed = copy.run(&["audit", "prove", "crm", "2"]).await;
    let never = copy.run(&["audit", "prove", "crm", "100000"]).await;

    assert!(!changed.status.success() && changed.stdout.is_empty());
    assert!(String::from_utf8_lossy(&changed.stderr).contains("meydan audit verify"));
    assert!(!never.status.success() && never.stdout.is_empty());
}
