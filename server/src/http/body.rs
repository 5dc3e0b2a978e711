//! Bodies of requests: forms, bounded in size, in time, and all together.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Body, Incoming};
use hyper::header::CONTENT_TYPE;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::answer::{Answer, KeyAnswers};
use super::form::{FormError, invalid_form};

/// What a permit of [`Bodies`] stands for.
const PERMIT_BYTES: usize = 1 << 10;

/// Room for the bodies of all requests that are not answered yet.
#[derive(Debug)]
pub struct Bodies {
    /// Bytes of one body.
    max_bytes: usize,
    room: Semaphore,
    patience: Duration,
}

/// A body, and its room for as long as this lives.
#[derive(Debug)]
pub struct FormBody<'a> {
    bytes: Bytes,
    _room: Option<SemaphorePermit<'a>>,
}

/// Why there is no body.
#[derive(Debug)]
pub enum BodyError {
    /// It is no form.
    Form(FormError),
    /// It did not arrive in time.
    Late,
    /// Too many bytes of other requests are being read or wait for an answer.
    NoRoom,
}

impl Bodies {
    /// Room for `all_bytes` of bodies, none larger than `max_bytes`; each may take
    /// as long as `patience` to arrive.
    pub fn new(max_bytes: usize, all_bytes: usize, patience: Duration) -> Self {
        Self { max_bytes, room: Semaphore::new(all_bytes / PERMIT_BYTES), patience }
    }

    /// The whole body of a request, which must be a form: etcd ignores others and
    /// stores an empty value, and all of a DELETE, and deletes. One that does not
    /// say its size takes the room of the largest.
    pub async fn read(
        &self,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<FormBody<'_>, BodyError> {
        if body.is_end_stream() {
            return Ok(FormBody { bytes: Bytes::new(), _room: None });
        }
        let declared = body.size_hint().upper().and_then(|size| usize::try_from(size).ok());
        let permits = declared.unwrap_or(self.max_bytes).min(self.max_bytes).div_ceil(PERMIT_BYTES);
        let permits = u32::try_from(permits).unwrap_or(u32::MAX);
        let room = self.room.try_acquire_many(permits).map_err(|_| BodyError::NoRoom)?;
        let bytes = timeout(self.patience, whole(body, self.max_bytes))
            .await
            .map_err(|_| BodyError::Late)??;
        if !bytes.is_empty() {
            let content_type = headers.get(CONTENT_TYPE);
            check_content_type(content_type.map(|value| value.to_str().unwrap_or("")))?;
        }
        Ok(FormBody { bytes, _room: Some(room) })
    }
}

impl FormBody<'_> {
    /// The form.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub fn text(&self) -> Result<&str, FormError> {
        std::str::from_utf8(&self.bytes).map_err(|_| invalid_form("invalid UTF-8 in a parameter"))
    }
}

impl BodyError {
    /// The answer that says so.
    pub fn answer(&self, answers: &KeyAnswers) -> Answer {
        match self {
            Self::Form(error) => answers.form_error(error),
            Self::Late => answers.late_body(),
            Self::NoRoom => answers.over_bound("max_pending_body_bytes"),
        }
    }
}

impl From<FormError> for BodyError {
    fn from(error: FormError) -> Self {
        Self::Form(error)
    }
}

async fn whole(mut body: Incoming, max_bytes: usize) -> Result<Bytes, FormError> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| invalid_form(error.to_string()))?;
        let Some(data) = frame.data_ref() else { continue };
        if whole.len() + data.len() > max_bytes {
            return Err(invalid_form("http: POST too large"));
        }
        if whole.is_empty() && body.is_end_stream() {
            whole = BytesMut::from(data.clone());
        } else {
            whole.extend_from_slice(data);
        }
    }
    Ok(whole.freeze())
}

fn check_content_type(content_type: Option<&str>) -> Result<(), FormError> {
    const FORM: &str = "application/x-www-form-urlencoded";
    let Some(content_type) = content_type else {
        return Err(invalid_form(format!("a body needs Content-Type {FORM}")));
    };
    let mut parts = content_type.split(';').map(str::trim);
    let kind = parts.next().unwrap_or("").to_ascii_lowercase();
    if kind.is_empty() {
        return Err(invalid_form("mime: no media type"));
    }
    if parts.any(|parameter| !parameter.is_empty() && !parameter.contains('=')) {
        return Err(invalid_form("mime: invalid media parameter"));
    }
    if kind != FORM {
        return Err(invalid_form(format!("Content-Type {kind} is not {FORM}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_forms_are_bodies() {
        let form = "application/x-www-form-urlencoded";
        assert!(check_content_type(Some(form)).is_ok());
        assert!(check_content_type(Some(&format!("{form}; charset=utf-8"))).is_ok());
        for (content_type, cause) in [
            (None, "needs Content-Type"),
            (Some(""), "mime: no media type"),
            (Some("text/plain"), "text/plain is not"),
            (Some("application/x-www-form-urlencoded; x"), "mime: invalid media parameter"),
        ] {
            let error = check_content_type(content_type).unwrap_err();
            assert!(error.code == 210 && error.cause.contains(cause), "{error:?}");
        }
    }
}
