#include "ui/views/recipe_panel.h"

#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QToolButton>
#include <nlohmann/json.hpp>

#include "core/backend/registry.h"
#include "core/router/stages.h"
#include "tests/support/played_window.h"
#include "tests/support/register.h"
#include "ui/models/run_settings.h"
#include "ui/views/balance_section.h"
#include "ui/views/recipe_footer.h"
#include "ui/views/recipe_text_dialog.h"
#include "ui/views/stage_section.h"
#include "ui/widgets/explain_popover.h"
#include "ui/widgets/number_field.h"
#include "ui/widgets/setting_field.h"

using namespace moe;
using namespace moe::ui;

namespace {

/// The panel before a worker that the test plays.
struct Stage : test::PlayedWindow {
  RecipePanel panel{context};

  explicit Stage(const char* preset = "mixtral") {
    status.state = SessionStatus::State::training;
    status.run = 1;
    status.config = runConfigOfPreset(preset);
    deliver();
  }
  /// The worker does what was posted last.
  void obey() {
    if (const auto* knob = std::get_if<command::SetKnob>(&posted.back())) {
      setByPath(*status.config, knob->path, knob->value);
      status.canUndo = true;
    } else if (const auto* start = std::get_if<command::Start>(&posted.back())) {
      status.config = start->config;
      ++status.run;
    }
    deliver();
  }
  void type(const char* path, const QString& text) {
    auto* edit = panel.field(path)->editor()->findChild<QLineEdit*>();
    if (!edit) edit = qobject_cast<QLineEdit*>(panel.field(path)->editor());
    edit->setText(text);
    QTest::keyClick(edit, Qt::Key_Return);
  }
  void choose(const char* path, const QString& json) {
    auto* combo = qobject_cast<QComboBox*>(panel.field(path)->editor());
    const int index = combo->findData(json);
    QVERIFY2(index >= 0, qPrintable(json));
    combo->setCurrentIndex(index);
    Q_EMIT combo->activated(index);
  }
  void choosePreset(const QString& id) {
    const int index = panel.presetBox()->findData(id);
    panel.presetBox()->setCurrentIndex(index);
    Q_EMIT panel.presetBox()->activated(index);
  }
  template <class C>
  const C* last() const {
    return posted.empty() ? nullptr : std::get_if<C>(&posted.back());
  }
};

}  // namespace

class RecipePanelTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aLiveSettingGoesToTheRunAtOnce() {
    Stage stage;
    QVERIFY(stage.panel.field("train.learning_rate")->state().live);
    stage.type("train.learning_rate", "5e-4");
    const auto* knob = stage.last<command::SetKnob>();
    QVERIFY(knob);
    QCOMPARE(knob->path, std::string("train.learning_rate"));
    QCOMPARE(std::stod(knob->value), 5e-4);
    QVERIFY(!stage.panel.draft().anythingPending());
    stage.obey();
    QVERIFY(!stage.panel.draft().anythingPending());
    QCOMPARE(stage.posted.size(), std::size_t(1));
  }

  void arrowsTurnAKnobOnceTheyRest() {
    Stage stage;
    auto* number = qobject_cast<NumberField*>(stage.panel.field("select.k")->editor());
    number->stepBy(1);
    number->stepBy(1);
    QVERIFY(stage.posted.empty());
    QTRY_VERIFY(!stage.posted.empty());
    QCOMPARE(stage.last<command::SetKnob>()->value, std::string("4"));
    QCOMPARE(stage.posted.size(), std::size_t(1));
  }

  void aStructuralSettingWaitsForARestart() {
    Stage stage;
    stage.type("model.width", "192");
    QVERIFY(stage.posted.empty());
    QVERIFY(stage.panel.field("model.width")->state().pending);
    QVERIFY(!stage.panel.field("model.layers")->state().pending);
    QVERIFY(stage.panel.footer()->words().contains("Width"));
    QVERIFY(stage.panel.footer()->restartButton()->isEnabled());
    stage.panel.footer()->restartButton()->click();
    QVERIFY(stage.last<command::Start>());
    QCOMPARE(stage.last<command::Start>()->config.model.width, 192);
    stage.obey();
    QVERIFY(!stage.panel.draft().anythingPending());
    QVERIFY(stage.panel.footer()->restartButton()->isHidden());
  }

  void aKnobCanBeTurnedWhileOtherChangesWait() {
    Stage stage;
    stage.type("model.width", "192");
    stage.type("train.clip", "0.5");
    QCOMPARE(stage.last<command::SetKnob>()->path, std::string("train.clip"));
    stage.obey();
    QVERIFY(stage.panel.field("model.width")->state().pending);
    QVERIFY(!stage.panel.field("train.clip")->state().pending);
    stage.panel.footer()->discardButton()->click();
    QCOMPARE(stage.panel.draft().config().model.width, 128);
    QCOMPARE(stage.panel.draft().config().train.clip, 0.5);
  }

  void aWrongValueIsRefusedBesideItsField() {
    Stage stage;
    stage.type("model.heads", "3");  // the key-value heads no longer divide it
    QVERIFY(!stage.panel.field("model.kv_heads")->sentence().isEmpty());
    QVERIFY(!stage.panel.footer()->restartButton()->isEnabled());
    QVERIFY(stage.panel.footer()->words().contains(stage.panel.field("model.kv_heads")->sentence()));
    stage.type("model.heads", "4");
    QVERIFY(stage.panel.field("model.kv_heads")->sentence().isEmpty());
    stage.type("model.layers", "many");
    QVERIFY(stage.panel.field("model.layers")->sentence().contains("whole number"));
    QVERIFY(stage.panel.draft().problems().size() == 1);
    stage.panel.footer()->discardButton()->click();
    QVERIFY(stage.panel.field("model.layers")->sentence().isEmpty());
    QCOMPARE(qobject_cast<NumberField*>(stage.panel.field("model.layers")->editor())->value(), QString("4"));
  }

  void aLiveValueOutsideItsRangeIsNotSent() {
    Stage stage;
    stage.type("train.learning_rate", "-1");
    QVERIFY(stage.posted.empty());
    QVERIFY(!stage.panel.field("train.learning_rate")->sentence().isEmpty());
    stage.type("select.k", "9");  // more than there are experts
    QVERIFY(stage.posted.empty());
    QVERIFY(!stage.panel.field("select.k")->sentence().isEmpty());
  }

  void aRefusedKnobGoesBackAndSaysWhy() {
    Stage stage;
    stage.type("train.steps", "5");
    QVERIFY(stage.last<command::SetKnob>());
    stage.next.problems.push_back("train.steps: 40 steps are done already");
    stage.deliver();
    QCOMPARE(stage.panel.field("train.steps")->state().value,
             QString::fromStdString(getByPath(*stage.status.config, "train.steps")));
    QVERIFY(stage.panel.footer()->words().contains("40 steps"));
  }

  void whatCannotComputeHereIsDisabledAndSaysWhy() {
    Stage stage;
    auto* combo = qobject_cast<QComboBox*>(stage.panel.field("backend")->editor());
    for (int i = 0; i < combo->count(); ++i) {
      const std::string name = nlohmann::json::parse(combo->itemData(i).toString().toStdString()).get<std::string>();
      const bool enabled = combo->model()->flags(combo->model()->index(i, 0)).testFlag(Qt::ItemIsEnabled);
      QCOMPARE(enabled, backendProblem(name).empty());
      if (!enabled) QVERIFY(combo->itemData(i, Qt::ToolTipRole).toString().contains("expected"));
    }
  }

  void aRunGoesOnOnAnotherBackendAtOnce() {
    Stage stage;
    QVERIFY(stage.panel.field("backend")->state().live);
    stage.choose("backend", "\"reference\"");
    const auto* knob = std::get_if<command::SetKnob>(&stage.posted.back());
    QVERIFY(knob && knob->path == "backend" && knob->value == "\"reference\"");
  }

  void everySettingReturnsToItsPreset() {
    Stage stage;
    SettingField* field = stage.panel.field("model.width");
    QVERIFY(field->resetButton()->isHidden());
    stage.type("model.width", "256");
    QVERIFY(!field->resetButton()->isHidden());
    field->resetButton()->click();
    QCOMPARE(stage.panel.draft().config().model.width, 128);
    QVERIFY(!stage.panel.draft().anythingPending());

    const std::string before = getByPath(*stage.status.config, "train.learning_rate");
    stage.type("train.learning_rate", "0.1");
    stage.obey();
    stage.panel.field("train.learning_rate")->resetButton()->click();
    QCOMPARE(stage.last<command::SetKnob>()->value, before);
  }

  void undoAsksTheRun() {
    Stage stage;
    QVERIFY(!stage.panel.undoButton()->isEnabled());
    stage.type("train.clip", "2");
    stage.obey();
    QVERIFY(stage.panel.undoButton()->isEnabled());
    stage.panel.undoButton()->click();
    QVERIFY(stage.last<command::UndoKnob>());
    stage.status.config->train.clip = 1;
    stage.deliver();
    QCOMPARE(stage.panel.field("train.clip")->state().value, QString("1.0"));
  }

  void oneClickRacesTheDenseModel() {
    Stage stage;
    stage.panel.twinButton()->click();
    QVERIFY(stage.last<command::StartTwin>());
    stage.status.twin = 2;
    stage.deliver();
    stage.panel.twinButton()->click();
    QVERIFY(stage.last<command::CloseTwin>());
  }

  void everyPresetCanBeShownAndStarted() {
    Stage stage;
    for (const Preset& preset : presets()) {
      stage.choosePreset(QString::fromStdString(preset.id));
      QCOMPARE(stage.panel.draft().config().preset, preset.id);
      QVERIFY2(stage.panel.draft().problems().empty(), preset.id.c_str());
      for (const SettingSection& info : stages())
        QVERIFY2(!stage.panel.section(QString::fromStdString(std::string(info.id)))->choice().isEmpty(),
                 preset.id.c_str());
      if (preset.id == "mixtral") continue;
      stage.panel.footer()->restartButton()->click();
      QCOMPARE(stage.last<command::Start>()->config.preset, preset.id);
    }
  }

  void sizesFollowTheDraft() {
    Stage stage;
    const QString before = stage.panel.footer()->sizes();
    QVERIFY(before.contains("parameters"));
    stage.type("experts.count", "16");
    QVERIFY(stage.panel.footer()->sizes() != before);
    stage.panel.footer()->discardButton()->click();
    QCOMPARE(stage.panel.footer()->sizes(), before);
  }

  void theChosenOptionAndItsFormulaStandOnTheClosedCard() {
    Stage stage;
    RecipeSection* score = stage.panel.section("score");
    QVERIFY(!score->open());
    stage.choose("score.kind", "\"sigmoid\"");
    QCOMPARE(score->choice(), QString("Sigmoid"));
    QCOMPARE(score->formula(), QString("s = 1 / (1 + exp(−z))"));
    QVERIFY(stage.panel.field("score.kind")->state().pending);
    QTest::keyClick(score->header(), Qt::Key_Space);
    QVERIFY(score->open());
  }

  void selectionBiasIsSwitchedOnAndOffWhileTheRunTrains() {
    Stage stage("collapse");
    auto* adjust = qobject_cast<StageSection*>(stage.panel.section("adjust"));
    QCheckBox* bias = adjust->partSwitch("adjust.selection_bias");
    QVERIFY(!bias->isChecked());
    bias->click();
    QCOMPARE(stage.last<command::SetKnob>()->path, std::string("adjust.selection_bias.rate"));
    QCOMPARE(std::stod(stage.last<command::SetKnob>()->value), 0.001);
    stage.obey();
    QVERIFY(stage.status.config->model.layers[0].recipe.adjust.selectionBias);
    QVERIFY(bias->isChecked());
    QVERIFY(!stage.panel.draft().anythingPending());
    bias->click();
    stage.obey();
    QVERIFY(!stage.status.config->model.layers[0].recipe.adjust.selectionBias);
  }

  void aPartThatNeedsWeightsWaits() {
    Stage stage;
    auto* combine = qobject_cast<StageSection*>(stage.panel.section("combine"));
    combine->partSwitch("combine.shared")->click();
    QVERIFY(stage.posted.empty());
    QVERIFY(!stage.panel.field("combine.shared.hidden")->isHidden());
    stage.type("combine.shared.hidden", "128");
    QVERIFY(stage.panel.draft().problems().empty());
    QVERIFY(stage.panel.draft().anythingPending());
    combine->partSwitch("combine.shared")->click();
    QVERIFY(!stage.panel.draft().anythingPending());
  }

  void balanceTermsComeAndGoAndTheirCoefficientsAreLive() {
    Stage stage("collapse");
    auto* balance = qobject_cast<BalanceSection*>(stage.panel.section("balance"));
    QVERIFY(!stage.panel.field("balance.0.coefficient"));
    balance->addButton()->click();
    stage.obey();
    stage.type("balance.0.coefficient", "0.01");
    QCOMPARE(stage.last<command::SetKnob>()->path, std::string("balance.0.coefficient"));
    stage.obey();
    QCOMPARE(stage.status.config->model.layers[0].recipe.balance.at(0).coefficient, 0.01);
    const std::size_t sent = stage.posted.size();
    stage.choose("balance.0.scope", "\"sequence\"");
    QCOMPARE(stage.posted.size(), sent);
    QVERIFY(stage.panel.draft().anythingPending());
    stage.type("balance.0.coefficient", "0.02");  // of a term that the run does not have
    QCOMPARE(stage.posted.size(), sent);
    balance->removeButton(0)->click();
    QVERIFY(!stage.panel.field("balance.0.coefficient"));
    QVERIFY(stage.panel.draft().anythingPending());
  }

  void aFieldBeingTypedInIsLeftAlone() {
    Stage stage;
    stage.panel.show();
    stage.panel.section("train")->setOpen(true);
    auto* edit = stage.panel.field("train.clip")->editor()->findChild<QLineEdit*>();
    stage.panel.activateWindow();
    edit->setFocus();
    QTRY_VERIFY(stage.panel.field("train.clip")->editor()->hasFocus());
    edit->setText("0.12");
    stage.status.config->train.clip = 3;
    stage.status.config->train.learningRate = 0.004;
    stage.deliver();
    QCOMPARE(edit->text(), QString("0.12"));
    QCOMPARE(qobject_cast<NumberField*>(stage.panel.field("train.learning_rate")->editor())->value(), QString("0.004"));
  }

  void everyOptionAndSettingOfTheTablesIsUnderstood() {
    for (const SettingSection& section : runSections())
      for (const Setting& setting : section.settings) {
        RunConfig config = runConfigOfPreset("mixtral");
        const std::string path(setting.path);
        QVERIFY2(!setting.tooltip.empty() && !setting.label.empty(), path.c_str());
        setByPath(config, path, getByPath(config, path));
        for (const SettingWord& option : setting.words) {
          setByPath(config, path, std::string(option.id));
          QCOMPARE(getByPath(config, path), '"' + std::string(option.id) + '"');
        }
      }
  }

  void everyEditorHasANameAndCanBeReachedByKeyboard() {
    Stage stage;
    for (const std::string& path : settingPaths(stage.panel.draft().config())) {
      if (path == "data.source") continue;
      SettingField* field = stage.panel.field(QString::fromStdString(path));
      QVERIFY2(field, path.c_str());
      QVERIFY2(!field->editor()->accessibleName().isEmpty(), path.c_str());
      QVERIFY2(field->editor()->focusPolicy() & Qt::TabFocus, path.c_str());
    }
  }

  void nothingIsWiderThanThePanel() {
    Stage stage;
    for (const bool presenter : {false, true}) {
      stage.theme.setPresenter(presenter);
      for (const SettingSection& info : stages())
        stage.panel.section(QString::fromStdString(std::string(info.id)))->setOpen(true);
      for (const SettingSection& info : runSections())
        stage.panel.section(QString::fromStdString(std::string(info.id)))->setOpen(true);
      stage.panel.resize(stage.panel.sizeHint().width(), 700);
      stage.panel.show();
      QCoreApplication::processEvents();
      QVERIFY2(stage.panel.sizeHint().width() <= (presenter ? 480 : 340),
               qPrintable(QString::number(stage.panel.sizeHint().width())));
      for (const QWidget* widget : stage.panel.findChildren<QWidget*>()) {
        if (!widget->isVisible() || widget->isWindow()) continue;
        const int right = widget->mapTo(&stage.panel, QPoint(widget->width(), 0)).x();
        QVERIFY2(right <= stage.panel.width(), qPrintable(widget->objectName() + widget->metaObject()->className()));
      }
    }
    stage.theme.setPresenter(false);
  }

  void whatIsOpenedAfterAChangeOfThemeHasItsColours() {
    Stage stage;
    stage.theme.setMode(Theme::Mode::light);
    stage.panel.show();
    stage.theme.setMode(Theme::Mode::dark);
    stage.panel.section("capacity")->setOpen(true);
    QCoreApplication::processEvents();
    int seen = 0;
    for (const QLabel* label : stage.panel.field("capacity.factor")->findChildren<QLabel*>()) {
      if (label->text() != "Factor") continue;
      QCOMPARE(label->palette().color(QPalette::WindowText), stage.theme.colours().text);
      ++seen;
    }
    QCOMPARE(seen, 1);
    stage.theme.setMode(Theme::Mode::system);
  }
  void whatHasNoFieldIsEditedAsJsonAndAWrongTextSaysWhere() {
    Stage stage;
    RecipeTextDialog dialog(stage.context.theme, stage.panel.draft());
    QVERIFY(dialog.text().toPlainText().startsWith("{\n  \"recipe\""));
    QCOMPARE(dialog.sentence(), QString());
    QVERIFY(dialog.takeButton().isEnabled());
    const QString good = dialog.text().toPlainText();
    const auto with = [&](const char* stage, const char* key, const nlohmann::json& value) {
      nlohmann::json all = nlohmann::json::parse(good.toStdString());
      all["recipe"][stage][key] = value;
      dialog.text().setPlainText(QString::fromStdString(all.dump(2)));
    };
    with("score", "kind", "softmacks");
    QVERIFY2(dialog.sentence().contains("score"), qPrintable(dialog.sentence()));
    QVERIFY(!dialog.takeButton().isEnabled());
    dialog.text().setPlainText(good.left(40) + ',' + good.mid(40));
    QVERIFY2(dialog.sentence().contains("line "), qPrintable(dialog.sentence()));
    // A recipe that may be read but cannot learn is taken, with its sentence: it stands at its field then, too.
    with("select", "k", 1);
    QVERIFY2(dialog.sentence().contains("always 1"), qPrintable(dialog.sentence()));
    dialog.takeButton().click();
    QCOMPARE(stage.panel.draft().value("select.k"), std::string("1"));
    QVERIFY(!stage.panel.draft().problems().empty());
  }
  void theFootersSizesExplainThemselves() {
    Stage stage;
    const auto all = stage.panel.footer()->sizesLabel().explanations();
    QCOMPARE(all.size(), std::size_t{4});
    QVERIFY2(all[0].values.find("experts ") != std::string::npos, all[0].values.c_str());
    QVERIFY2(all[3].values.find("MiB = ") != std::string::npos, all[3].values.c_str());
    stage.type("experts.hidden", "64");
    QVERIFY(stage.panel.footer()->sizesLabel().explanations()[3].values != all[3].values);
  }
  void aPastedRecipeThatNestsTooDeepIsRefusedInWords() {
    const RecipeDraft::Reading deep = RecipeDraft::read(std::string(200'000, '['));
    QCOMPARE(QString::fromStdString(deep.sentence),
             QString("This cannot be read: expected JSON nested at most 200 levels, found more."));
    QVERIFY(!deep.config);
    QCOMPARE(QString::fromStdString(RecipeDraft::read("{\n\"model\" 1}").sentence),
             QString("This is no JSON yet: expected JSON, found an error at line 2, column 9."));
  }
};

SWITCHYARD_TEST(RecipePanelTest)
#include "recipe_panel_test.moc"
