//! Two futures, and whichever ends first.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// Which of two it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Either<A, B> {
    /// The first, also if both had ended.
    Left(A),
    /// The second.
    Right(B),
}

/// Waits for one of two futures and drops the other.
pub async fn first<A, B>(
    left: impl Future<Output = A>,
    right: impl Future<Output = B>,
) -> Either<A, B> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(|context| {
        if let Poll::Ready(done) = left.as_mut().poll(context) {
            return Poll::Ready(Either::Left(done));
        }
        right.as_mut().poll(context).map(Either::Right)
    })
    .await
}
