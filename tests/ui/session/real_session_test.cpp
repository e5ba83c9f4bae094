#include <QAction>
#include <QApplication>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSettings>
#include <QTemporaryDir>

#include "tests/support/register.h"
#include "ui/models/run_history.h"
#include "ui/models/selection.h"
#include "ui/session/run_library.h"
#include "ui/session/session_bridge.h"
#include "ui/theme/theme.h"
#include "ui/views/alert_row.h"
#include "ui/views/alerts_panel.h"
#include "ui/views/inspect_page.h"
#include "ui/views/main_window.h"
#include "ui/views/run_bar.h"
#include "ui/widgets/notices.h"
#include "ui/widgets/probe_text.h"
#include "ui/widgets/time_axis.h"
#include "ui/widgets/token_details.h"
#include "ui/widgets/token_strip.h"

using namespace moe;
using namespace moe::ui;
using State = SessionStatus::State;

namespace {

/// The program as main() makes it, on a store of its own.
struct Program {
  explicit Program(const QTemporaryDir& folder)
      : settings(folder.filePath("window.ini"), QSettings::IniFormat),
        session({.store = std::filesystem::path(folder.filePath("runs.db").toStdString())}) {}

  QSettings settings;
  Theme theme;
  TrainingSession session;
  SessionBridge bridge{portOf(session)};
  RunHistory history{bridge};
  RunLibrary library{[this](StoreThread::Work work, StoreThread::Failed failed) {
    session.withStore(std::move(work), std::move(failed));
  }};
  Selection selection;
  TimeAxis time;
  Notices notices{theme};
  MainWindow window{PageContext{bridge, history, library, selection, theme, time, notices, settings, {}}};
};

/// Small enough for a step in milliseconds.
RunConfig smallRun() {
  RunConfig config = runConfigOfPreset("mixtral");
  config.computeType = DType::f32;
  for (const auto& [path, value] : std::vector<std::pair<std::string, std::string>>{{"model.layers", "2"},
                                                                                    {"model.context", "32"},
                                                                                    {"train.batch", "2"},
                                                                                    {"train.steps", "100000"},
                                                                                    {"threads", "1"}})
    setByPath(config, path, value);
  return config;
}

}  // namespace

class RealSessionTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void playPauseStepAndAKnobReachTheWorkerAndComeBack() {
    QTemporaryDir folder;
    Program p(folder);
    p.window.show();
    p.bridge.post(command::Start{.config = smallRun()});
    QTRY_VERIFY_WITH_TIMEOUT(p.history.newestStep() >= 5, 20'000);
    QVERIFY(p.bridge.status().state == State::training);

    p.window.runBar().playAction()->trigger();
    QTRY_VERIFY_WITH_TIMEOUT(p.bridge.status().state == State::paused, 10'000);
    const std::int64_t paused = p.bridge.status().step;
    QTRY_COMPARE_WITH_TIMEOUT(p.history.newestStep(), paused, 10'000);

    p.window.runBar().stepAction()->trigger();
    QTRY_COMPARE_WITH_TIMEOUT(p.history.newestStep(), paused + 1, 10'000);

    p.bridge.post(command::SetKnob{"train.learning_rate", "0.001"});
    p.window.runBar().stepAction()->trigger();
    QTRY_VERIFY_WITH_TIMEOUT(p.bridge.status().canUndo, 10'000);
    const auto& events = p.history.mainRun()->events;
    QTRY_VERIFY(std::any_of(events.begin(), events.end(), [](const RunEvent& e) {
      return e.kind == RunEvent::Kind::knob && e.path == "train.learning_rate";
    }));
  }
  void theSpaceBarPausesAWindowThatWasJustOpened() {
    QTemporaryDir folder;
    Program p(folder);
    p.window.show();
    p.window.activateWindow();
    QVERIFY(QTest::qWaitForWindowActive(&p.window));
    p.bridge.post(command::Start{.config = smallRun()});
    QTRY_VERIFY_WITH_TIMEOUT(p.history.newestStep() >= 2, 20'000);
    QVERIFY(QApplication::focusWidget());
    QTest::keyClick(QApplication::focusWidget(), Qt::Key_Space);
    QTRY_VERIFY_WITH_TIMEOUT(p.bridge.status().state == State::paused, 10'000);
    const std::int64_t paused = p.bridge.status().step;
    QTest::keyClick(QApplication::focusWidget(), Qt::Key_Period);
    QTRY_COMPARE_WITH_TIMEOUT(p.bridge.status().step, paused + 1, 10'000);
  }
  void aCollapseRaisesAnAlertAndItsRemedyTurnsAKnobThatLeavesAMark() {
    QTemporaryDir folder;
    Program p(folder);
    p.window.show();
    RunConfig config = smallRun();
    // Everything below its whole fair share counts as dead here: the alert's way is tried, not the collapse.
    for (const auto& [path, value] : std::vector<std::pair<std::string, std::string>>{
             {"alerts.threshold", "0.99"}, {"alerts.clears", "1.5"}, {"alerts.window", "3"}})
      setByPath(config, path, value);
    p.bridge.post(command::Start{.config = config});
    QTRY_VERIFY_WITH_TIMEOUT(!p.history.alerts().empty(), 20'000);
    const Alert alert = p.history.alerts().front();
    auto* panel = qobject_cast<AlertsPanel*>(p.window.panelWidget("alerts"));
    QVERIFY(panel);
    QTRY_VERIFY(panel->findChild<AlertRow*>() != nullptr);
    QVERIFY(!p.window.runBar().alertSummary().isEmpty());
    p.bridge.post(command::Pause{});  // or the next step's alerts move the button away from under the mouse
    QTRY_VERIFY_WITH_TIMEOUT(p.bridge.status().state == State::paused, 10'000);

    // Of the row that is open, once it is laid out: which one that is depends on the alerts that have come and gone.
    const auto raise = [&]() -> QPushButton* {
      for (QPushButton* button : panel->findChildren<QPushButton*>())
        if (button->visibleRegion().contains(button->rect().center()) &&
            button->text().contains("aux", Qt::CaseInsensitive))
          return button;
      return nullptr;
    };
    QTRY_VERIFY(raise() != nullptr);
    QTest::mouseClick(raise(), Qt::LeftButton);
    QTRY_VERIFY_WITH_TIMEOUT(p.bridge.status().canUndo, 10'000);
    const auto& events = p.history.mainRun()->events;
    QTRY_VERIFY(std::any_of(events.begin(), events.end(), [](const RunEvent& e) {
      return e.kind == RunEvent::Kind::knob && e.path == "balance.0.coefficient";
    }));
    QVERIFY(std::any_of(events.begin(), events.end(), [&](const RunEvent& e) {
      return e.kind == RunEvent::Kind::alertRaised && e.layer == alert.layer && e.expert == alert.expert;
    }));
  }
  void aTypedTextIsRoutedByTheModelInTrainingAndContinued() {
    QTemporaryDir folder;
    Program p(folder);
    p.window.show();
    p.bridge.post(command::Start{.config = smallRun()});
    QTRY_VERIFY_WITH_TIMEOUT(p.history.newestStep() >= 2, 20'000);
    p.window.showPage("inspect");
    auto* page = p.window.findChild<InspectPage*>();
    QVERIFY(page);
    page->text().setPlainText("abc");
    QTRY_VERIFY_WITH_TIMEOUT(page->caption().contains("3 tokens"), 10'000);
    QVERIFY(page->strip().expertOf(2) >= 0);
    p.selection.setToken(1);
    QCOMPARE(page->details().summaries().size(), 2);
    QTest::mouseClick(&page->generateButton(), Qt::LeftButton);
    QTRY_VERIFY_WITH_TIMEOUT(page->caption().contains("67 tokens"), 20'000);
  }
  void aClosedWindowContinuesWhereItWas() {
    QTemporaryDir folder;
    RunId run = 0;
    std::int64_t closedAt = 0;
    {
      Program p(folder);
      p.window.show();
      p.bridge.post(command::Start{.config = smallRun()});
      QTRY_VERIFY_WITH_TIMEOUT(p.history.newestStep() >= 5, 20'000);
      run = p.history.main();
      p.window.close();
      closedAt = p.history.newestStep();
    }
    Program p(folder);
    p.window.show();
    p.bridge.post(command::Open{.run = run, .paused = true});
    QTRY_COMPARE_WITH_TIMEOUT(p.history.main(), run, 20'000);
    QTRY_VERIFY_WITH_TIMEOUT(p.bridge.status().state == State::paused, 10'000);
    QVERIFY2(p.bridge.status().step >= closedAt, "closing writes a checkpoint of the last step");
    QTRY_COMPARE_WITH_TIMEOUT(p.history.newestStep(), p.bridge.status().step, 10'000);
    QCOMPARE(p.history.mainRun()->columns.firstStep(), 1);
  }
};
SWITCHYARD_TEST(RealSessionTest)
#include "real_session_test.moc"
