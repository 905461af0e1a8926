//! Answers whose head is too long, too slow, or cut off.

use std::time::Duration;

use hookloom::deliver::Destination;
use hookloom::model::{AttemptError, DeliveryState, Outcome};
use hookloom_testkit::receiver::{Answer, Receiver};

use super::rig::{Rig, to};

#[tokio::test]
async fn heads_that_are_no_answer_have_their_names() {
    let table = [
        (Answer::HugeHead(1 << 20), AttemptError::TooLarge),
        (Answer::HugeHead(512 << 10), AttemptError::TooLarge),
        (Answer::ManyHeaders(1_000), AttemptError::TooLarge),
        (Answer::DrippingHead, AttemptError::Timeout),
        (Answer::CutHead, AttemptError::Reset),
    ];
    for (answer, expected) in table {
        let receiver = Receiver::start([answer.clone()]).await;
        // Long enough for a whole megabyte on a busy machine, where it is to be read.
        let slow = matches!(answer, Answer::DrippingHead);
        let timeout = if slow { Duration::from_millis(200) } else { Duration::from_secs(20) };
        let rig = Rig::start(vec![Destination { timeout, ..to(&receiver, &[1]) }]);
        let id = rig.put("d", 1).await.remove(0);
        // The next answer is as it should be.
        let attempts = rig.ended(&id, DeliveryState::Delivered).await;
        match &attempts[0].outcome {
            Outcome::Error { kind, detail } => {
                assert_eq!(*kind, expected, "{answer:?}: {detail}");
                assert!(!detail.is_empty(), "{answer:?}");
            }
            other @ Outcome::Status(_) => panic!("{answer:?}: {other:?}"),
        }
        assert!(receiver.seen().connections >= 2, "{answer:?}: the broken connection is not used again");
    }
}

#[tokio::test]
async fn a_head_of_common_size_is_read() {
    let receiver = Receiver::start([Answer::HugeHead(16 << 10), Answer::ManyHeaders(90)]).await;
    let rig = Rig::start(vec![to(&receiver, &[])]);
    for id in rig.put("d", 2).await {
        let attempts = rig.ended(&id, DeliveryState::Delivered).await;
        assert_eq!(attempts[0].outcome, Outcome::Status(200));
    }
}
