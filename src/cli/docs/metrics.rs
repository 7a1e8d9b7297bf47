//! `metrics.md`: every metric of `/metrics`.

use super::{
    Sources,
    configuration::columns,
    markdown::{Page, code, codes},
};
use crate::telemetry::{Kind, METRICS, Metric};

pub(super) fn page(sources: &Sources) -> anyhow::Result<String> {
    let mut page = Page::new(sources, "metrics.md", "Metrics", "指标");
    page.paragraph(sources.say(
        "`GET /metrics` on `admin_listen` tells these numbers in Prometheus's format. A histogram has `_bucket`, `_sum` and `_count`, in seconds. Labels hold names of ours alone; nothing that a stranger chose becomes a label.",
        "`admin_listen` 上的 `GET /metrics` 以 Prometheus 格式提供这些指标。直方图有 `_bucket`、`_sum` 和 `_count`,单位为秒。标签只含本程序自己的名称,陌生人给出的内容不会成为标签。",
    ));
    let row = |it: &Metric| {
        let kind = match it.kind {
            Kind::Counter => sources.say("counter", "计数器"),
            Kind::Gauge => sources.say("gauge", "仪表"),
            Kind::Histogram => sources.say("histogram", "直方图"),
        };
        [code(it.name), kind.to_owned(), codes(it.labels), sources.say(it.english, it.chinese).to_owned()]
    };
    page.table(columns(sources.say("metric|type|labels|meaning", "指标|类型|标签|含义")), METRICS.iter().map(row));
    Ok(page.into_text())
}
