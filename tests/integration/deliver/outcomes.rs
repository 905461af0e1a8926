//! What one attempt comes to, and what follows from it.

use std::time::Duration;

use hookloom::clock::Clock;
use hookloom::deliver::Destination;
use hookloom::model::{Attempt, AttemptError, Decision, DeliveryState, Millis, Outcome};
use hookloom_testkit::receiver::{Answer, Receiver};

use super::rig::{BODY, Rig, assert_signed, destination, eventually, loopback, to};

fn kind(attempt: &Attempt) -> Option<AttemptError> {
    match &attempt.outcome {
        Outcome::Status(_) => None,
        Outcome::Error { kind, .. } => Some(*kind),
    }
}

/// One attempt, and no other after it.
async fn only_attempt(destination: Destination) -> Attempt {
    let name = destination.name.clone();
    let rig = Rig::start(vec![destination]);
    let id = rig.put(&name, 1).await.remove(0);
    let mut attempts = rig.ended(&id, DeliveryState::Dead).await;
    assert_eq!(attempts.len(), 1);
    attempts.remove(0)
}

#[tokio::test]
async fn a_2xx_is_delivered_once_with_everything_on_the_wire() {
    let answer =
        Answer::Full(202, vec![("x-request-id", "r-1".into()), ("server", "s".into())], b"thanks".into());
    let receiver = Receiver::start([answer]).await;
    let rig = Rig::start(vec![to(&receiver, &[10])]);
    let id = rig.hand_over("d", 1).await.remove(0);
    let attempts = rig.ended(&id, DeliveryState::Delivered).await;

    let requests = receiver.requests(1).await;
    let request = &requests[0];
    assert_eq!(request.line, "POST /hooks HTTP/1.1");
    assert_eq!(request.body, BODY);
    assert_eq!(request.header("webhook-id"), Some(id.as_str()));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("hookloom-source"), Some("github"));
    assert_eq!(request.header("hookloom-event-type"), Some("issues.opened"));
    assert_eq!(request.header("hookloom-attempt"), Some("1"));
    assert!(request.header("user-agent").unwrap().starts_with("hookloom/"));
    assert!(request.header("hookloom-event-id").unwrap().starts_with("evt_"));
    assert_signed(request);

    let [attempt] = &attempts[..] else { panic!("{attempts:?}") };
    assert_eq!((attempt.number, &attempt.outcome), (1, &Outcome::Status(202)));
    assert_eq!(attempt.decision, Decision::Delivered);
    assert_eq!(attempt.address, Some(receiver.address()));
    assert_eq!(attempt.response_body.as_ref(), b"thanks");
    let kept: Vec<_> = attempt.response_headers.iter().map(|h| (h.name.as_str(), h.value.as_str())).collect();
    assert_eq!(kept, [("x-request-id", "r-1")]);
    let counted = [
        r#"hookloom_attempts_total{destination="d",outcome="2xx"} 1"#,
        r#"hookloom_deliveries_total{destination="d",state="delivered"} 1"#,
    ];
    eventually(async || {
        let metrics = rig.metrics.render();
        if counted.iter().all(|line| metrics.contains(line)) { Ok(()) } else { Err(metrics) }
    })
    .await;
    assert_eq!(receiver.seen().requests.len(), 1);
}

#[tokio::test]
async fn a_retry_keeps_the_id_and_signs_anew() {
    let receiver = Receiver::start([Answer::Status(503), Answer::Status(500)]).await;
    let clock = Clock::manual(Millis(1_700_000_000_000));
    let rig = Rig::start_at(clock.clone(), vec![to(&receiver, &[5_000, 60_000])], loopback());
    let id = rig.put("d", 1).await.remove(0);
    for (attempts, wait) in [(1, 5_000), (2, 60_000)] {
        let made = rig.attempts(&id, attempts).await;
        let due = clock.now().after(Duration::from_millis(wait));
        assert_eq!(made[attempts - 1].decision, Decision::Retry(due));
        clock.advance(Duration::from_millis(wait));
        rig.bell.notify_one();
    }
    let attempts = rig.ended(&id, DeliveryState::Delivered).await;
    assert_eq!(attempts.iter().map(|a| a.number).collect::<Vec<_>>(), [1, 2, 3]);
    let requests = receiver.requests(3).await;
    let header = |name: &str| requests.iter().map(|r| r.header(name).unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(header("webhook-id"), [id.as_str(); 3]);
    assert_eq!(header("webhook-timestamp"), ["1700000000", "1700000005", "1700000065"]);
    assert_eq!(header("hookloom-attempt"), ["1", "2", "3"]);
    requests.iter().for_each(assert_signed);
}

#[tokio::test]
async fn retries_come_by_themselves_and_end_dead() {
    let receiver = Receiver::start_with([], Answer::Status(500)).await;
    let rig = Rig::start(vec![to(&receiver, &[5, 30])]);
    let id = rig.hand_over("d", 1).await.remove(0);
    let attempts = rig.ended(&id, DeliveryState::Dead).await;
    assert_eq!(attempts.len(), 3);
    assert_eq!(attempts[2].decision, Decision::Dead);
    assert_eq!(attempts[2].reason, "answered 500; attempt 3 of 3 was the last");
    assert_eq!(receiver.seen().requests.len(), 3);
}

#[tokio::test]
async fn retry_after_is_honoured_in_both_forms() {
    let now = Millis(784_111_777_000); // Sun, 06 Nov 1994 08:49:37 GMT
    for value in ["120", "Sun, 06 Nov 1994 08:51:37 GMT"] {
        let answer = Answer::Full(429, vec![("retry-after", value.into())], Vec::new());
        let receiver = Receiver::start([answer]).await;
        let rig = Rig::start_at(Clock::manual(now), vec![to(&receiver, &[1_000])], loopback());
        let id = rig.put("d", 1).await.remove(0);
        let attempts = rig.attempts(&id, 1).await;
        assert_eq!(attempts[0].decision, Decision::Retry(Millis(now.0 + 120_000)), "{value}");
        assert_eq!(attempts[0].response_headers[0].value, value);
    }
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let elsewhere = Receiver::start([]).await;
    for status in [301, 302, 303, 307, 308] {
        let answer = Answer::Full(status, vec![("location", elsewhere.url())], Vec::new());
        let receiver = Receiver::start([answer]).await;
        let attempt = only_attempt(to(&receiver, &[])).await;
        assert_eq!(attempt.outcome, Outcome::Status(status));
    }
    assert_eq!(elsewhere.seen().connections, 0);
}

#[tokio::test]
async fn a_body_that_is_too_large_for_the_receiver_is_not_sent_again() {
    let receiver = Receiver::start([Answer::Status(413)]).await;
    let attempt = only_attempt(to(&receiver, &[1, 1, 1])).await;
    assert_eq!(attempt.reason, "answered 413; trying again cannot help");
}

#[tokio::test]
async fn silence_and_a_body_that_stalls_are_timeouts() {
    for answer in [Answer::Silence, Answer::StalledBody] {
        let receiver = Receiver::start([answer.clone()]).await;
        let timeout = Duration::from_millis(100);
        let attempt = only_attempt(Destination { timeout, ..to(&receiver, &[]) }).await;
        assert_eq!(kind(&attempt), Some(AttemptError::Timeout), "{answer:?}");
        assert!(attempt.duration >= timeout, "{answer:?} {:?}", attempt.duration);
        receiver.until("the end of the connection", |seen| seen.ended == 1).await;
    }
}

#[tokio::test]
async fn broken_answers_have_their_names() {
    let table = [
        (Answer::Reset, AttemptError::Reset),
        (Answer::CutBody, AttemptError::Reset),
        (Answer::Garbage, AttemptError::Other),
    ];
    for (answer, expected) in table {
        let receiver = Receiver::start([answer.clone()]).await;
        let attempt = only_attempt(to(&receiver, &[])).await;
        assert_eq!(kind(&attempt), Some(expected), "{answer:?}: {:?}", attempt.outcome);
    }
}

#[tokio::test]
async fn connections_that_do_not_come_about_have_their_names() {
    let receiver = Receiver::start([]).await;
    let https = receiver.url().replace("http:", "https:");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let table = [
        (format!("http://{closed}/"), AttemptError::Connect),
        ("http://no-such-host.invalid/".into(), AttemptError::Dns),
        (https, AttemptError::Tls),
    ];
    for (url, expected) in table {
        let attempt = only_attempt(destination("d", &url, &[])).await;
        assert_eq!(kind(&attempt), Some(expected), "{url}: {:?}", attempt.outcome);
        assert_eq!(attempt.address, None);
    }
}

#[tokio::test]
async fn an_endless_body_is_read_only_so_far() {
    let receiver = Receiver::start([Answer::EndlessBody]).await;
    let rig = Rig::start(vec![to(&receiver, &[])]);
    let id = rig.put("d", 1).await.remove(0);
    let attempts = rig.ended(&id, DeliveryState::Delivered).await;
    assert_eq!(attempts[0].response_body.len(), 4096);
    receiver.until("the end of the connection", |seen| seen.ended == 1).await;
}

#[tokio::test]
async fn a_connection_serves_again_after_an_answer_of_common_size() {
    let body = vec![b'x'; 20 * 1024];
    let receiver = Receiver::start_with([], Answer::Full(200, Vec::new(), body)).await;
    let rig = Rig::start(vec![Destination { concurrency: 1, ..to(&receiver, &[]) }]);
    for id in rig.put("d", 20).await {
        rig.ended(&id, DeliveryState::Delivered).await;
    }
    // A connection that is not back in the pool in time makes room for a second one.
    let seen = receiver.seen();
    assert_eq!(seen.requests.len(), 20);
    assert!(seen.connections < 5, "{}", seen.connections);
}
