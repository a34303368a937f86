//! The formats of the metrics, and which one a client receives.

use actix_web::HttpRequest;
use actix_web::http::header::{Accept, Header, QualityItem};
use actix_web::mime::{self, Mime};

/// A text format that Prometheus reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// OpenMetrics 1.0, with exemplars.
    OpenMetrics,
    /// The older format of Prometheus, without exemplars.
    Classic,
}

impl Format {
    /// The classic format where `accept` prefers `text/plain`. Otherwise OpenMetrics: for Prometheus, which prefers it, and for
    /// clients such as curl that accept everything.
    pub(super) fn of(request: &HttpRequest) -> Self {
        let Ok(Accept(accepted)) = Accept::parse(request) else { return Self::OpenMetrics };
        let open_metrics = quality(&accepted, mime::APPLICATION, "openmetrics-text");
        if quality(&accepted, mime::TEXT, "plain") > open_metrics { Self::Classic } else { Self::OpenMetrics }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => prometheus_client::encoding::prometheus_text::CONTENT_TYPE,
        }
    }
}

/// The quality of a type, in thousandths: that of the most specific range which includes it.
fn quality(accepted: &[QualityItem<Mime>], main: mime::Name<'_>, sub: &str) -> u16 {
    let of = |specificity: u8| {
        let matching = accepted.iter().filter(|it| match specificity {
            2 => it.item.type_() == main && it.item.subtype() == sub,
            1 => it.item.type_() == main && it.item.subtype() == mime::STAR,
            _ => it.item.type_() == mime::STAR,
        });
        matching.map(thousandths).max()
    };
    of(2).or_else(|| of(1)).or_else(|| of(0)).unwrap_or(0)
}

fn thousandths(item: &QualityItem<Mime>) -> u16 {
    // actix-web exposes the number only as text.
    item.quality.to_string().trim_start_matches("; q=").parse::<f32>().map_or(1000, |quality| (quality * 1000.0) as u16)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_format_follows_the_accept_header() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                            text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                            text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        for (accept, format) in [
            (prometheus_2, Format::OpenMetrics),
            (prometheus_3, Format::OpenMetrics),
            ("*/*", Format::OpenMetrics),
            (browser, Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("application/json", Format::OpenMetrics),
            ("not a type", Format::OpenMetrics),
            ("text/plain; version=0.0.4", Format::Classic),
            ("text/plain", Format::Classic),
            ("text/*", Format::Classic),
            ("text/plain;version=0.0.4, application/openmetrics-text;q=0.5", Format::Classic),
            ("text/plain;version=0.0.4, */*;q=0.1", Format::Classic),
            ("application/openmetrics-text;q=0, */*;q=0.1", Format::Classic),
        ] {
            let request = TestRequest::get().insert_header(("accept", accept)).to_http_request();
            assert_eq!(Format::of(&request), format, "{accept}");
        }
        assert_eq!(Format::of(&TestRequest::get().to_http_request()), Format::OpenMetrics);
    }
}
