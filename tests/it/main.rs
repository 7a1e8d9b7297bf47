//! The program as its users meet it: real PostgreSQL, real sockets, real encryption. Only WeCom is simulated.

mod support;

mod admin;

mod access;

mod strangers;

mod staff_scope;

mod audit;

mod callback;

mod bodies;
mod clocks;

mod concurrency;

mod connections;

mod probes;

mod contact_flow;

mod matching;

mod cli;

mod demo;

mod terminal;

mod embedded;

mod event_time;
mod private_cluster;

mod typed_text;

mod kill;

mod order;

mod plans;

mod outage;

mod spool;

mod spool_processes;

mod poison;

mod groups;

mod readiness;

mod partitions;

mod processes;

mod stop;

mod tasks;

mod fairness;

mod task_laws;

mod welcome;

mod states;

mod sync;

mod sync_drift;

mod sync_permission;

mod log_lines;

mod unreached;

mod tidy;

mod tidy_layers;

mod documents;
mod tidy_names;

mod refresh;

mod group_chats;

mod conversation;

mod record_search;

mod owners;

mod company;

mod notify;

mod media;

mod media_s3;

mod work_orders;

mod tokens;

mod proxy;

mod pulled;

mod kf;

mod kf_pull;

mod kf_route;

mod wecom_errors;

mod odd_answers;

mod circles;

mod wecom_transfer;

mod errcodes;

mod handover;

mod handover_driver;

mod handover_laws;

mod handover_overdue;

mod handover_codes;

mod staff_bind;

mod handover_plan;

mod handover_admin;

mod resignation;

mod transfer;

mod test_connection;

mod reporting;

mod transferred_out;

mod backup;

mod key;

mod openapi;

mod reference;

mod secrets;

mod repetition;

mod session;

mod logins;

mod privacy;

mod erased_in_handover;

mod retention;

mod migrations;

mod upgrade;

mod userids;

mod userid_upgrade;

mod archive;

mod archive_keys;

mod archive_media;

mod archive_types;
