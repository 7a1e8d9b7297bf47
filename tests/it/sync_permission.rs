//! Reconciling with an app that lacks permissions: forbidden phases are skipped and reported, and the rest is read.

use wecomd::{
    sandbox::{Fault, Size},
    sync::Over,
    tables::sync::sync_run::{self, RunView},
};

use crate::support::reconcile::{PAGES, Scene, to_the_end};

const COMPANY: Size = Size { members: 12, customers: 40, departments: 3 };

/// WeCom's errcodes for a missing permission.
pub(crate) const RIGHTS: &[i64] = &[48002, 48009, 48011, 50002, 60011, 60030, 60031, 92000, 610_023, 610_024];

const DEPARTMENTS: &str = "department/simplelist";
const STAFF: &str = "externalcontact/get_follow_user_list";
const LEAVERS: &str = "externalcontact/get_unassigned_list";

/// The forbidden API, and the phases that are skipped because of it.
const CLOSED: [(&str, &[&str]); 6] = [
    (DEPARTMENTS, &["departments", "members"]),
    ("user/list", &["members"]),
    (STAFF, &["staff", "customers"]),
    (PAGES, &["customers"]),
    ("externalcontact/get_corp_tag_list", &["tags"]),
    (LEAVERS, &["unassigned"]),
];

fn closed(errcode: i64) -> Fault {
    Fault { errcode: Some(errcode), ..Fault::default() }
}

async fn shown(scene: &Scene, run: i64) -> RunView {
    let mut conn = scene.db.pool.acquire().await.expect("connects");
    sync_run::list(&mut conn, Some(run), None, None, 1).await.expect("listed").pop().expect("the run")
}

fn phases(run: &RunView) -> Vec<&str> {
    run.skipped.0.iter().map(|it| it.phase.as_str()).collect()
}

#[tokio::test]
async fn each_forbidden_phase_is_skipped_and_reported_and_marks_nobody_as_gone() {
    let scene = Scene::start(COMPANY).await;
    scene.reconcile().await;
    let members = scene.db.count("select count(*) from member").await;
    for (path, left_out) in CLOSED {
        scene.db.execute("delete from customer_wechat_contact; delete from member").await;
        scene.platform.faults().clear();
        scene.platform.faults().set(path, closed(48002));
        let first = scene.reconcile().await;
        let run = shown(&scene, first).await;
        assert_eq!((phases(&run), run.state.as_str(), &run.reason), (left_out.to_vec(), "done", &None), "{path}");
        for it in &run.skipped.0 {
            assert_eq!((it.path.as_str(), it.errcode), (path, Some(48002)));
            assert!(it.zh.contains("无权调用") && it.remedy_zh.contains("可调用接口的应用"), "{it:?}");
            assert!(it.en.contains("may not call") && it.remedy_en.contains("list the app"), "{it:?}");
        }
        // The rest was read.
        let reads_customers = !left_out.contains(&"customers");
        assert_eq!(scene.held().await == scene.named(), reads_customers, "{path}");
        let reads_members = !left_out.contains(&"members");
        assert_eq!(
            scene.db.count("select count(*) from member where name is not null").await == members,
            reads_members
        );

        // Whoever was known before is not taken for gone because they could not be read.
        scene.platform.faults().clear();
        scene.reconcile().await;
        scene.platform.faults().set(path, closed(48002));
        let second = scene.reconcile().await;
        assert_eq!(scene.drift(second).await, [""; 0], "{path}");
        assert_eq!(scene.held().await, scene.named(), "{path}");
    }
    scene.finish().await;
}

#[tokio::test]
async fn each_missing_permission_errcode_skips_a_phase() {
    let scene = Scene::start(COMPANY).await;
    for errcode in RIGHTS {
        scene.platform.faults().set(DEPARTMENTS, closed(*errcode));
        let run = scene.reconcile().await;
        let run = shown(&scene, run).await;
        assert_eq!(phases(&run), ["departments", "members"], "{errcode}");
        assert!(run.skipped.0.iter().all(|it| !it.en.is_empty() && !it.zh.is_empty()), "{errcode}");
        assert_eq!(scene.held().await, scene.named(), "{errcode}");
    }
    scene.finish().await;
}

#[tokio::test]
async fn an_invisible_department_is_reported_and_marks_nobody_as_gone() {
    let scene = Scene::start(COMPANY).await;
    scene.reconcile().await;
    scene.platform.faults().set("user/list", Fault { times: Some(1), ..closed(60011) });
    let run = scene.reconcile().await;
    assert_eq!(scene.drift(run).await, [""; 0]);
    let run = shown(&scene, run).await;
    assert_eq!(phases(&run), ["members"]);
    assert!(run.members > 0, "the other departments are read");
    scene.finish().await;
}

#[tokio::test]
async fn a_run_without_permissions_fails_and_a_later_one_with_them_reads_everything() {
    let scene = Scene::start(COMPANY).await;
    for path in [DEPARTMENTS, STAFF, LEAVERS] {
        scene.platform.faults().set(path, closed(48002));
    }
    let mut run = scene.begin().await;
    assert_eq!(to_the_end(&mut run).await, Over::Failed);
    let reason = shown(&scene, run.id()).await.reason.expect("a reason");
    assert!([DEPARTMENTS, STAFF, LEAVERS].iter().all(|it| reason.contains(&format!("{it}: 48002"))), "{reason}");

    scene.platform.faults().clear();
    assert_eq!(scene.reconcile().await, run.id(), "it is taken up again");
    let again = shown(&scene, run.id()).await;
    assert_eq!((phases(&again), again.state.as_str()), (vec![], "done"));
    assert_eq!(scene.held().await, scene.named());
    scene.finish().await;
}
