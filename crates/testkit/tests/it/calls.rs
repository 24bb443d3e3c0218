//! The simulator answers calls as Telegram does, and goes wrong as told.

use std::{collections::HashMap, time::Duration};

use anyhow::Result;
use meydan_testkit::telegram::{Fault, TelegramSimulator};
use serde_json::{Value, json};

const TOKEN: &str = "7000000001:calls";

async fn started() -> Result<TelegramSimulator> {
    let simulator = TelegramSimulator::start().await?;
    simulator.add_bot(TOKEN, "candidate_bot");
    simulator.say(TOKEN, 5, "/start")?;
    Ok(simulator)
}

/// The answer's status and body.
async fn call(simulator: &TelegramSimulator, method: &str, body: Value) -> Result<(u16, Value)> {
    let address = format!("{}/bot{TOKEN}/{method}", simulator.url());
    let response = reqwest::Client::new().post(address).json(&body).send().await?;
    Ok((response.status().as_u16(), response.json().await?))
}

fn hello() -> Value {
    json!({"chat_id": 5, "text": "سلام"})
}

#[tokio::test]
async fn a_bot_is_known_by_its_token() -> Result<()> {
    let simulator = started().await?;
    let (status, body) = call(&simulator, "GetMe", json!({})).await?;
    assert_eq!((status, &body["result"]["id"]), (200, &json!(7_000_000_001_i64)));
    assert_eq!(body["result"]["username"], "candidate_bot");

    let stranger = format!("{}/bot1:x/getMe", simulator.url());
    assert_eq!(reqwest::get(stranger).await?.status(), 401);
    let nonsense = format!("{}/botx/getMe", simulator.url());
    assert_eq!(reqwest::get(nonsense).await?.status(), 404);
    simulator.revoke(TOKEN);
    assert_eq!(call(&simulator, "getMe", json!({})).await?.0, 401);
    Ok(())
}

#[tokio::test]
async fn a_message_is_sent_as_json_as_form_and_in_parts() -> Result<()> {
    let simulator = started().await?;
    let address = format!("{}/bot{TOKEN}/sendMessage", simulator.url());
    let client = reqwest::Client::new();
    let pairs = HashMap::from([("chat_id", "5"), ("text", "form")]);
    let parts = reqwest::multipart::Form::new().text("chat_id", "5").text("text", "parts");

    call(&simulator, "sendMessage", hello()).await?;
    client.post(&address).form(&pairs).send().await?.error_for_status()?;
    client.post(&address).multipart(parts).send().await?.error_for_status()?;

    let sent = simulator.wait_sent(5, 3).await?;
    let texts: Vec<&str> = sent.iter().map(|sent| sent.text.as_str()).collect();
    assert_eq!(texts, ["سلام", "form", "parts"]);
    let ids: Vec<i32> = sent.iter().map(|sent| sent.message_id).collect();
    assert_eq!(ids, [2, 3, 4], "the citizen's message was the first");
    Ok(())
}

#[tokio::test]
async fn a_message_can_be_changed_and_deleted() -> Result<()> {
    let simulator = started().await?;
    call(&simulator, "sendMessage", hello()).await?;
    let target = json!({"chat_id": 5, "message_id": 2, "text": "درود"});

    assert_eq!(call(&simulator, "editMessageText", target.clone()).await?.0, 200);
    assert_eq!(call(&simulator, "editMessageText", target.clone()).await?.0, 400);
    assert_eq!((simulator.sent(5)[0].text.as_str(), simulator.sent(5)[0].edits), ("درود", 1));
    assert_eq!(call(&simulator, "deleteMessage", target.clone()).await?.0, 200);
    assert_eq!(call(&simulator, "deleteMessage", target).await?.0, 400);
    assert!(simulator.sent(5).is_empty());
    Ok(())
}

#[tokio::test]
async fn what_telegram_refuses_is_refused() -> Result<()> {
    let simulator = started().await?;
    let long = json!({"chat_id": 5, "text": "😀".repeat(2049)});
    let cases = [
        (json!({"chat_id": 5, "text": " "}), "Bad Request: message text is empty"),
        (long, "Bad Request: message is too long"),
        (json!({"chat_id": 99, "text": "x"}), "Bad Request: chat not found"),
    ];
    for (body, description) in cases {
        let (status, answer) = call(&simulator, "sendMessage", body).await?;
        assert_eq!((status, &answer["description"]), (400, &json!(description)));
    }
    assert_eq!(call(&simulator, "sendTelepathy", json!({})).await?.0, 404);
    Ok(())
}

#[tokio::test]
async fn a_citizen_who_blocked_the_bot_gets_nothing() -> Result<()> {
    let simulator = started().await?;
    simulator.block(TOKEN, 5)?;
    let (status, body) = call(&simulator, "sendMessage", hello()).await?;
    assert_eq!((status, &body["error_code"]), (403, &json!(403)));
    assert_eq!(body["description"], "Forbidden: bot was blocked by the user");
    simulator.unblock(TOKEN, 5)?;
    assert_eq!(call(&simulator, "sendMessage", hello()).await?.0, 200);
    Ok(())
}

#[tokio::test]
async fn faults_strike_the_calls_that_they_are_meant_for() -> Result<()> {
    let simulator = started().await?;
    simulator.say(TOKEN, 6, "/start")?;
    let limit = Fault::TooManyRequests { retry_after: 5 };
    simulator.inject(limit.times(1).for_chat(6).for_method("sendMessage"));
    simulator.inject(Fault::ServerError { status: 502 }.times(2).for_bot(TOKEN).for_chat(5));

    let (status, body) =
        call(&simulator, "sendMessage", json!({"chat_id": 6, "text": "x"})).await?;
    assert_eq!((status, &body["parameters"]["retry_after"]), (429, &json!(5)));
    assert_eq!(call(&simulator, "sendMessage", hello()).await?.0, 502);
    assert_eq!(call(&simulator, "sendMessage", hello()).await?.0, 502);
    assert_eq!(call(&simulator, "sendMessage", hello()).await?.0, 200);

    simulator.inject(Fault::Revoked.always());
    assert_eq!(call(&simulator, "getMe", json!({})).await?.0, 401);
    simulator.clear_faults();
    assert_eq!(call(&simulator, "getMe", json!({})).await?.0, 200);
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_leaves_the_message_sent_and_an_unreachable_server_does_not() -> Result<()> {
    let simulator = started().await?;
    simulator.inject(Fault::AnswerLost.times(1));
    assert!(call(&simulator, "sendMessage", hello()).await.is_err());
    assert_eq!(simulator.sent(5).len(), 1);

    simulator.inject(Fault::Unreachable.times(1));
    assert!(call(&simulator, "sendMessage", hello()).await.is_err());
    assert_eq!(simulator.sent(5).len(), 1);
    let cut = simulator.calls().iter().filter(|call| call.status == 0).count();
    assert_eq!(cut, 2);
    Ok(())
}

#[tokio::test]
async fn a_slow_call_is_carried_out_when_the_clock_has_moved() -> Result<()> {
    let simulator = started().await?;
    simulator.inject(Fault::Slow { seconds: 30 }.times(1));
    let sending = call(&simulator, "sendMessage", hello());
    let moving = async {
        simulator.wait_held(1).await?;
        let before = simulator.sent(5).len();
        simulator.advance(Duration::from_secs(30));
        anyhow::Ok(before)
    };
    let ((status, _), before) = tokio::try_join!(sending, moving)?;
    assert_eq!((status, before, simulator.sent(5).len()), (200, 0, 1));
    simulator.wait_held(0).await
}

#[tokio::test]
async fn polling_hands_out_what_was_not_confirmed_and_a_webhook_forbids_it() -> Result<()> {
    let simulator = started().await?;
    simulator.say(TOKEN, 5, "second")?;
    let (_, first) = call(&simulator, "getUpdates", json!({"limit": 1})).await?;
    assert_eq!(first["result"][0]["message"]["text"], "/start");
    let offset = first["result"][0]["update_id"].as_i64().unwrap() + 1;
    let (_, rest) = call(&simulator, "getUpdates", json!({"offset": offset})).await?;
    assert_eq!(rest["result"][0]["message"]["text"], "second");
    assert_eq!(rest["result"].as_array().unwrap().len(), 1);

    let hook = json!({"url": "http://127.0.0.1:9/nobody"});
    call(&simulator, "setWebhook", hook).await?;
    assert_eq!(call(&simulator, "getUpdates", json!({})).await?.0, 409);
    Ok(())
}

#[tokio::test]
async fn a_waiting_poll_is_woken_by_an_update_and_ended_by_another_poll() -> Result<()> {
    let simulator = started().await?;
    let offset = i64::from(i32::MAX);
    let waiting = call(&simulator, "getUpdates", json!({"offset": offset, "timeout": 50}));
    let waking = async {
        let update = json!({"update_id": offset, "message": {"chat": {"id": 5}, "text": "x"}});
        simulator.update(TOKEN, update)
    };
    let ((status, body), woken) = tokio::try_join!(waiting, waking)?;
    assert_eq!((status, &body["result"][0]["update_id"]), (200, &json!(woken)));

    let old = call(&simulator, "getUpdates", json!({"offset": offset + 1, "timeout": 50}));
    let new = async {
        loop {
            let short = call(&simulator, "getUpdates", json!({"offset": offset + 1})).await?;
            if simulator.calls().iter().any(|call| call.status == 409) {
                return anyhow::Ok(short);
            }
        }
    };
    let ((ended, _), (status, _)) = tokio::try_join!(old, new)?;
    assert_eq!((ended, status), (409, 200));
    Ok(())
}

#[tokio::test]
async fn a_photo_can_be_fetched() -> Result<()> {
    let simulator = started().await?;
    simulator.say_photo(TOKEN, 5, Some("چاله"), b"jpeg")?;
    let (_, updates) = call(&simulator, "getUpdates", json!({})).await?;
    let photo = updates["result"][1]["message"]["photo"][0].clone();
    let (_, file) = call(&simulator, "getFile", json!({"file_id": photo["file_id"]})).await?;
    let path = file["result"]["file_path"].as_str().unwrap();
    let address = format!("{}/file/bot{TOKEN}/{path}", simulator.url());
    assert_eq!(reqwest::get(address).await?.bytes().await?, "jpeg");
    Ok(())
}

#[tokio::test]
async fn another_process_steers_it_through_the_control_door() -> Result<()> {
    let simulator = TelegramSimulator::start().await?;
    let client = reqwest::Client::new();
    let door = |name: &str| format!("{}/control/{name}", simulator.url());
    let steer = async |name: &str, body: Value| {
        client.post(door(name)).json(&body).send().await?.error_for_status()?.json::<Value>().await
    };
    steer("bots", json!({"token": TOKEN, "username": "candidate_bot"})).await?;
    let said = steer("say", json!({"token": TOKEN, "chat": 5, "text": "سلام"})).await?;
    assert_eq!(said["message_id"], 1);
    steer("faults", json!({"fault": "too_many_requests", "retry_after": 3, "times": 1})).await?;
    assert_eq!(call(&simulator, "sendMessage", hello()).await?.0, 429);
    assert_eq!(call(&simulator, "sendMessage", hello()).await?.0, 200);

    let sent: Value = reqwest::get(door("sent?chat=5")).await?.json().await?;
    assert_eq!(sent[0]["text"], "سلام");
    let nobody = json!({"token": "1:x", "chat": 5, "text": "x"});
    assert!(steer("say", nobody).await.is_err());
    Ok(())
}

#[tokio::test]
async fn it_serves_an_address_of_its_own_as_a_program_would() -> Result<()> {
    let address = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let steer = async {
        let new = json!({"token": TOKEN, "username": "candidate_bot"});
        let door = format!("http://{address}/control/bots");
        client.post(door).json(&new).send().await?.error_for_status()?;
        let me = client.get(format!("http://{address}/bot{TOKEN}/getMe")).send().await?;
        anyhow::Ok(me.status().as_u16())
    };
    tokio::select! {
        biased;
        served = meydan_testkit::telegram::serve(address) => served?,
        status = steer => assert_eq!(status?, 200),
    }
    Ok(())
}
