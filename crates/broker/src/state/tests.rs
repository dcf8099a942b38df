//! What is wrong with the file is said, and nothing is made in its place.

use super::*;

fn router() -> Arc<Router> {
    Arc::new(Router::new(1))
}

async fn open(path: &std::path::Path) -> Result<State, StateError> {
    State::open(path.to_owned(), StateLimits::default(), router()).await
}

#[tokio::test]
async fn a_damaged_file_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.redb");
    open(&path).await.unwrap().close().await;
    let whole = std::fs::read(&path).unwrap();
    let half = whole.get(..whole.len() / 3).unwrap().to_vec();
    for wrong in [Vec::new(), b"not a database".to_vec(), vec![0; 8192], half] {
        std::fs::write(&path, &wrong).unwrap();
        let error = open(&path).await.unwrap_err();
        assert!(
            matches!(error, StateError::Damaged { .. }),
            "{} bytes: {error:?}",
            wrong.len()
        );
        assert!(error.to_string().contains("move it away"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), wrong);
    }
    std::fs::write(&path, &whole).unwrap();
    open(&path).await.unwrap().close().await;
}

#[tokio::test]
async fn a_file_has_one_owner_until_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.redb");
    let first = open(&path).await.unwrap();
    assert!(matches!(open(&path).await.unwrap_err(), StateError::InUse { .. }));
    first.close().await;
    open(&path).await.unwrap().close().await;
}
