//! The program as its users meet it: real PostgreSQL, real sockets, real encryption. Only WeCom is pretended.

mod support;

mod admin;

mod access;

mod staff_scope;

mod audit;

mod callback;

mod concurrency;

mod contact_flow;

mod matching;

mod cli;

mod embedded;

mod kill;

mod order;

mod plans;

mod outage;

mod poison;

mod processes;

mod stop;

mod tasks;

mod task_laws;

mod welcome;

mod sync;

mod sync_drift;

mod tidy;

mod refresh;

mod notify;

mod media;

mod media_s3;

mod work_orders;

mod tokens;

mod proxy;

mod wecom_errors;

mod wecom_transfer;

mod errcodes;

mod handover;

mod handover_driver;

mod handover_laws;

mod handover_codes;

mod staff_bind;

mod handover_plan;

mod handover_admin;

mod resignation;

mod transfer;

mod test_connection;

mod reporting;

mod backup;

mod key;

mod openapi;

mod secrets;

mod repetition;

mod session;

mod privacy;

mod retention;
