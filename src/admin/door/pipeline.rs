//! Processes an admitted request: authenticates, recognises repetitions, asks WeCom if needed, then runs the handler
//! and writes the access log's line in one transaction.

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{
    admit::{self, Admitted},
    call::{About, Answer, Asked, Call, Outcome, Refused, Work},
    idempotency::Key,
    line::Line,
    reply::Reply,
    state::Admin,
};
use crate::admin::spec::{
    problem::{Code, Problem},
    route::Run,
};

/// The part that runs in the transaction.
enum Rest {
    /// Nothing: this is the answer, and its subject.
    Nothing(Answer, About),
    /// The rest of a route that asked first.
    Work(Work, About),
    /// The whole route.
    Route(Run),
}

/// Carries a request out, if its caller may, and writes it to the access log.
///
/// It never fails: an error becomes the reply. A request without a route is answered before authentication and is not
/// in the access log; a refused caller is, and unauthenticated ones are in the sums.
pub async fn handle(admin: &Admin, admitted: Admitted) -> Reply {
    let request_id = admitted.request.request_id;
    match answer(admin, &admitted).await {
        Ok(answer) => Reply { status: answer.status, body: answer.body, headers: answer.headers },
        Err(problem) => {
            problem.log(request_id);
            problem.reply(request_id)
        }
    }
}

/// The reply to a request whose body could not be read: 408 if it took too long, 413 if it is too long, else 400.
pub fn unread(status: u16, request_id: Uuid) -> Reply {
    let problem = match status {
        408 => Problem::new(
            Code::BodyTimeout,
            ("send the body faster, or raise http.body_timeout_ms", "请加快发送请求体，或调大 http.body_timeout_ms"),
        ),
        413 => Problem::new(
            Code::BodyTooLarge,
            ("send less at once, or raise http.body_bytes_max", "请减少单次发送的数据，或调大 http.body_bytes_max"),
        ),
        429 => Problem::new(
            Code::TooManyRequests,
            ("too many requests stopped half-way in their bodies; send it again", "未发送完整的请求过多，请重新发送"),
        ),
        _ => Problem::new(
            Code::BodyBroken,
            ("the connection ended within the body; send the request again", "连接在请求体传输中断开，请重新发送"),
        ),
    };
    problem.reply(request_id)
}

/// The reply to any request before the database has answered for the first time.
pub fn not_started(request_id: Uuid) -> Reply {
    let detail = (
        "the database has not answered since wecomd was started; callbacks are kept in the spool",
        "wecomd 启动以来数据库尚未应答；回调暂存在本地",
    );
    Problem::new(Code::DatabaseUnavailable, detail).reply(request_id)
}

async fn answer(admin: &Admin, admitted: &Admitted) -> Result<Answer, Problem> {
    let Admitted { request, found, .. } = admitted;
    let route = found.route;
    let line = Line { guard: &admin.guard, request, route: route.path };
    let (mut conn, caller) = admit::identify(admin, admitted, &line).await?.unzip();
    let caller = caller.as_ref();
    let call = Call { admin, request, query: route.operation.query, caller, id: &found.id };

    let (key, known) = match &mut conn {
        Some(conn) => match Key::of(&call, route) {
            Ok(Some(key)) => {
                let known = key.known(conn).await;
                (Some(key), known)
            }
            Ok(None) => (None, Ok(None)),
            Err(problem) => return Err(line.turned_away(conn, caller, &call.about_path(), problem).await),
        },
        None => (None, Ok(None)),
    };

    // WeCom is asked first: no transaction and no connection ever waits for WeCom.
    drop(conn);
    let rest = match known {
        Ok(None) => ask(route.run, &call).await,
        Ok(Some((answer, about))) => Ok(Rest::Nothing(answer, about)),
        Err(problem) => Err(problem.into()),
    };
    let rest = rest.map_err(|refused| about_something(refused, &call));
    let rest = match rest {
        // Without a caller and a subject there is no line to write.
        Ok(Rest::Nothing(answer, about)) if caller.is_none() && about.subject.is_empty() => {
            return Ok(line.answered_nobody(answer));
        }
        Err((problem, about)) if caller.is_none() && about.subject.is_empty() => return Err(line.refused(problem)),
        rest => rest,
    };
    let mut conn = admin.pool.acquire().await?;
    let rest = match rest {
        Ok(rest) => rest,
        Err((problem, about)) => return Err(line.turned_away(&mut conn, caller, &about, problem).await),
    };

    let mut transaction = conn.begin().await?;
    let outcome = once(key.as_ref(), &call, rest, &mut transaction).await;
    let (answer, about) = match outcome.map_err(|refused| about_something(refused, &call)) {
        Ok(done) => done,
        Err((problem, about)) => {
            transaction.rollback().await?;
            return Err(line.turned_away(&mut conn, caller, &about, problem).await);
        }
    };
    line.append(&mut transaction, caller, &about, answer.status).await?;
    transaction.commit().await?;

    // Reading the apps again takes a connection of its own.
    drop(conn);
    if answer.apps_changed
        && let Err(error) = admin.apps.refresh().await
    {
        tracing::warn!(error = %error, "an app was changed, and this process will see it a little later");
    }
    Ok(answer)
}

/// A refusal with its subject: what the path names, if the handler did not set one.
fn about_something(refused: Refused, call: &Call<'_>) -> (Problem, About) {
    let Refused { problem, about } = refused;
    (problem, about.unwrap_or_else(|| call.about_path()))
}

async fn ask(run: Run, call: &Call<'_>) -> Result<Rest, Refused> {
    let Run::AskFirst(ask) = run else { return Ok(Rest::Route(run)) };
    Ok(match ask(call).await? {
        Asked::Then { about, work } => Rest::Work(work, about),
        Asked::Done { about, answer } => Rest::Nothing(answer, about),
    })
}

/// Carries a request out, unless it repeats one that was.
async fn once(key: Option<&Key>, call: &Call<'_>, rest: Rest, conn: &mut PgConnection) -> Outcome {
    let (Some(key), false) = (key, matches!(rest, Rest::Nothing(..))) else {
        return carry_out(call, rest, conn).await;
    };
    if let Some(done) = key.begin(conn).await? {
        return Ok(done);
    }
    let (answer, about) = carry_out(call, rest, conn).await?;
    match key.finish(&about, conn, &answer).await {
        Ok(()) => Ok((answer, about)),
        Err(error) => Err(about.refused(error.into())),
    }
}

async fn carry_out(call: &Call<'_>, rest: Rest, conn: &mut PgConnection) -> Outcome {
    match rest {
        Rest::Nothing(answer, about) => Ok((answer, about)),
        Rest::Work(work, about) => about.answers(work(call, conn).await),
        Rest::Route(Run::Now(run)) => run(call, conn).await,
        Rest::Route(Run::AskFirst(_)) => Err(Problem::internal("what must be asked first was not asked").into()),
    }
}
