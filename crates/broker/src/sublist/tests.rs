//! The tree agrees with the definition of a match, whatever was added and removed.

use proptest::prelude::*;

use super::*;

/// The definition, token by token.
fn matches(pattern: &str, subject: &str) -> bool {
    let (mut pattern, mut subject) = (pattern.split('.'), subject.split('.'));
    loop {
        match (pattern.next(), subject.next()) {
            (None, None) => return true,
            (Some(">"), Some(_)) => return true,
            (Some("*"), Some(_)) => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

async fn connection() -> Arc<Connection> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    Arc::new(Connection::new(1, stream, 1))
}

fn found(list: &Sublist, subject: &str) -> Vec<Bytes> {
    let mut leaves = Vec::new();
    list.matches(subject.as_bytes(), &mut leaves);
    let plain = leaves.iter().flat_map(|leaf| &leaf.plain);
    let members = leaves.iter().flat_map(|leaf| &leaf.queues);
    let mut sids: Vec<Bytes> = plain
        .chain(members.flat_map(|(_, members)| members))
        .map(|subscription| subscription.sid.clone())
        .collect();
    sids.sort();
    sids
}

fn pattern() -> impl Strategy<Value = String> {
    let token = prop_oneof![Just("a"), Just("b"), Just("*")];
    let end = prop_oneof![Just(""), Just(".>")];
    (proptest::collection::vec(token, 1..4), end).prop_map(|(tokens, end)| tokens.join(".") + end)
}

proptest! {
    #[test]
    fn what_is_found_is_what_matches(
        patterns in proptest::collection::vec((pattern(), any::<bool>(), any::<bool>()), 0..20),
        subject in "[ab](\\.[ab]){0,4}",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let connection = runtime.block_on(connection());
        let mut list = Sublist::default();
        let mut all = Vec::new();
        for (number, (pattern, queue, stays)) in patterns.into_iter().enumerate() {
            let queue = queue.then(|| Bytes::from_static(b"q"));
            let sid = Bytes::from(format!("{number:03}"));
            let one = Subscription::new(Arc::clone(&connection), pattern.clone().into(), queue, sid.clone());
            list.insert(Arc::clone(&one));
            all.push((one, pattern, sid, stays));
        }
        for (one, ..) in all.iter().filter(|(.., stays)| !stays) {
            prop_assert!(list.remove(one));
            prop_assert!(!list.remove(one));
        }
        let expected: Vec<Bytes> = all
            .iter()
            .filter(|(_, pattern, _, stays)| *stays && matches(pattern, &subject))
            .map(|(_, _, sid, _)| sid.clone())
            .collect();
        prop_assert_eq!(found(&list, &subject), expected);
        for (one, .., stays) in &all {
            prop_assert_eq!(list.remove(one), *stays);
        }
        prop_assert_eq!(list.len(), 0);
        prop_assert!(list.root.is_empty());
    }
}
