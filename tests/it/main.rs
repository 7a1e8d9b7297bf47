//! The program as its users meet it: real PostgreSQL, real sockets, real encryption. Only WeCom is pretended.

mod support;

mod admin;

mod callback;

mod concurrency;

mod cli;

mod embedded;

mod kill;

mod order;

mod outage;

mod poison;

mod processes;

mod stop;

mod sync;

mod sync_drift;

mod tidy;
