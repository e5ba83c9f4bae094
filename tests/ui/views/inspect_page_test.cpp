#include "ui/views/inspect_page.h"

#include <QClipboard>
#include <QDragEnterEvent>
#include <QGuiApplication>
#include <QLabel>
#include <QMimeData>
#include <QPushButton>
#include <limits>

#include "tests/support/played_window.h"
#include "tests/support/register.h"
#include "ui/widgets/explain_popover.h"
#include "ui/widgets/probe_text.h"
#include "ui/widgets/token_details.h"
#include "ui/widgets/token_strip.h"

using namespace moe;
using namespace moe::ui;
using moe::test::PlayedWindow;

namespace {

std::shared_ptr<TextRouting> routed(std::uint64_t request, const std::string& text) {
  auto routing = std::make_shared<TextRouting>();
  routing->run = 1;
  routing->step = 40;
  routing->request = request;
  routing->text = text;
  for (std::size_t i = 0; i < text.size(); ++i) {
    TokenRouting token;
    token.text = text.substr(i, 1);
    token.id = text[i];
    token.loss = i == 0 ? std::numeric_limits<double>::quiet_NaN() : 1.5;
    for (int l = 0; l < 2; ++l) {
      const int first = static_cast<int>(i + static_cast<std::size_t>(l)) % 4;
      token.layers.push_back({.layer = l,
                              .experts = {first, (first + 1) % 4},
                              .weights = {0.7f, 0.3f},
                              .probabilities = {0.1f, 0.2f, 0.3f, 0.4f},
                              .logits = {},
                              .ranking = {},
                              .margin = 0.05f,
                              .dropped = false});
    }
    routing->tokens.push_back(token);
  }
  return routing;
}

}  // namespace

class InspectPageTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void typingAsksTheWorkerForTheTextOnce() {
    PlayedWindow window;
    InspectPage page(window.context);
    page.resize(900, 600);
    page.show();
    window.posted.clear();
    page.text().clear();
    QTest::keyClicks(&page.text(), "abc");
    QTRY_VERIFY(!window.postedOf<command::Probe>().empty());
    const auto probes = window.postedOf<command::Probe>();
    QCOMPARE(probes.size(), std::size_t{1});
    QCOMPARE(probes.front().text, std::string("abc"));
    QVERIFY(probes.front().live);
  }
  void ofTenMillionPastedCharactersTheEndIsTakenAndTheRestCounted() {
    PlayedWindow window;
    InspectPage page(window.context);
    page.resize(900, 600);
    page.show();
    page.text().setText("before ");
    page.text().moveCursor(QTextCursor::End);
    QGuiApplication::clipboard()->setText(QString(10'000'000, 'x') + " the end");
    page.text().paste();
    QVERIFY(page.text().toPlainText().size() <= ProbeText::kMostCharacters);
    QVERIFY(page.text().toPlainText().endsWith("x the end"));
    QCOMPARE(page.text().leftOut() + page.text().toPlainText().size(), 10'000'008 + 7);
    QLabel* words = nullptr;
    for (QLabel* label : page.findChildren<QLabel*>())
      if (label->text().contains("left out")) words = label;
    QVERIFY(words && words->isVisible() && words->text().contains("9,980,015"));
    window.posted.clear();
    QTRY_VERIFY(!window.postedOf<command::Probe>().empty());
    QCOMPARE(window.postedOf<command::Probe>().back().text.size(),
             static_cast<std::size_t>(ProbeText::kMostCharacters));
    QVERIFY(window.settings.value("inspect/text").toString().size() <= 4096);
    QVERIFY(window.settings.value("inspect/text").toString().endsWith("the end"));

    page.text().setText("short again");
    QVERIFY(!words->isVisible());
  }
  void whatTheContextDoesNotHoldIsSaid() {
    PlayedWindow window;
    InspectPage page(window.context);
    page.resize(900, 600);
    page.show();
    const auto routing = routed(window.postedOf<command::Probe>().back().request, "abcd");
    routing->leftOut = 1234;
    window.next.probe = routing;
    window.deliver();
    QVERIFY2(page.caption().contains("1,234 tokens before them are not routed"), qPrintable(page.caption()));
  }
  void filesDroppedOnTheTextAreTheWindows() {
    PlayedWindow window;
    InspectPage page(window.context);
    QMimeData files;
    files.setUrls({QUrl::fromLocalFile("/etc/hostname")});
    QDragEnterEvent enter(QPoint(5, 5), Qt::CopyAction, &files, Qt::LeftButton, Qt::NoModifier);
    enter.ignore();
    QApplication::sendEvent(page.text().viewport(), &enter);
    QVERIFY(!enter.isAccepted());
  }
  void anAnswerBecomesChipsAndAClickShowsEveryLayer() {
    PlayedWindow window;
    InspectPage page(window.context);
    page.resize(900, 600);
    page.show();
    window.next.probe = routed(window.postedOf<command::Probe>().back().request, "abcd");
    window.deliver();
    QVERIFY(page.caption().contains("step 40"));
    QCOMPARE(page.strip().expertOf(2), 2);
    QTest::keyClick(&page.strip(), Qt::Key_Home);
    QTest::keyClick(&page.strip(), Qt::Key_Right);
    QCOMPARE(window.selection.place().token, 1);
    QCOMPARE(page.details().summaries().size(), 2);
    QVERIFY(page.details().summaries().front().contains(QString::fromUtf8("E1 × 0.7")));
    QVERIFY(page.details().summaries().front().contains("margin 0.05"));
  }
  void everyNumberOfTheChosenTokenAnswersEnterAndAClick() {
    PlayedWindow window;
    window.start(1, runConfigOfPreset(firstPreset().id), 3);
    InspectPage page(window.context);
    page.resize(900, 600);
    page.show();
    window.next.probe = routed(window.postedOf<command::Probe>().back().request, "abcd");
    window.deliver();
    QVERIFY(page.explanations().empty());
    QTest::keyClick(&page.strip(), Qt::Key_Home);
    QTest::keyClick(&page.strip(), Qt::Key_Right);
    // The loss, and of two layers two weights, margin, entropy and four scores each.
    QCOMPARE(page.explanations().size(), std::size_t{1 + 2 * (2 + 1 + 1 + 4)});
    for (const Explanation& one : page.explanations())
      QVERIFY(!one.name.empty() && !one.formula.empty() && !one.values.empty());
    QTest::keyClick(&page.strip(), Qt::Key_Return);
    auto* popover = page.findChild<ExplainPopover*>();
    QVERIFY(popover);
    QCOMPARE(popover->shown().name, std::string("Loss of \u201cb\u201d, step 40"));
    QTest::keyClick(popover, Qt::Key_Escape);
    TokenDetails& details = page.details();
    QTest::keyClick(&details, Qt::Key_Down);
    QTest::keyClick(&details, Qt::Key_Return);
    popover = details.findChild<ExplainPopover*>();
    QVERIFY(popover);
    QCOMPARE(popover->count(), 8);
    QCOMPARE(popover->shown().name, std::string("Weight of expert 2, layer 1, step 40"));
    QTest::keyClick(popover, Qt::Key_Escape);
    QTRY_VERIFY(!details.findChild<ExplainPopover*>());
    // A press on the first layer's last bar asks about that expert's score.
    QTest::mouseClick(&details, Qt::LeftButton, {},
                      QPoint(details.width() - 12, details.heightForWidth(details.width()) / 2 - 24));
    popover = details.findChild<ExplainPopover*>();
    QVERIFY(popover);
    QCOMPARE(popover->shown().name, std::string("Score of expert 3, layer 0, step 40"));
    popover->close();
  }
  void routingThatSeesLaterTokensIsMarkedOnTheChips() {
    PlayedWindow window;
    RunConfig config = runConfigOfPreset(firstPreset().id);
    for (LayerConfig& layer : config.model.layers) layer.recipe.select.kind = Recipe::Select::Kind::expertChoice;
    window.start(1, config, 3);
    InspectPage page(window.context);
    page.resize(900, 600);
    page.show();
    QCOMPARE(page.strip().caution(), QString());
    window.next.probe = routed(window.postedOf<command::Probe>().back().request, "abcd");
    window.deliver();
    QCOMPARE(page.strip().caution(), QString("sees later tokens"));
    QCOMPARE(page.details().caution(), QString("sees later tokens"));
  }
  void theAnswerToAnOlderQuestionIsNotShown() {
    PlayedWindow window;
    InspectPage page(window.context);
    page.show();
    window.next.probe = routed(window.postedOf<command::Probe>().back().request + 100, "zz");
    window.deliver();
    QCOMPARE(page.strip().expertOf(0), -1);
  }
  void aContinuationGrowsAndCanBeStopped() {
    PlayedWindow window;
    InspectPage page(window.context);
    page.show();
    page.generateButton().click();
    const auto asked = window.postedOf<command::Generate>();
    QCOMPARE(asked.size(), std::size_t{1});
    auto growing = routed(asked.front().request, "abc");
    growing->complete = false;
    window.next.generation = growing;
    window.deliver();
    QVERIFY(page.caption().contains("growing"));
    page.generateButton().click();
    QCOMPARE(window.postedOf<command::StopGenerating>().size(), std::size_t{1});
  }
  void aTextThatCannotBeRoutedSaysWhy() {
    PlayedWindow window;
    InspectPage page(window.context);
    page.show();
    auto refused = std::make_shared<TextRouting>();
    refused->request = window.postedOf<command::Probe>().back().request;
    refused->problem = "The text is empty: type at least one character.";
    window.next.probe = refused;
    window.deliver();
    QCOMPARE(page.caption(), QString("The text is empty: type at least one character."));
  }
  void nobodyLookingStopsTheProbing() {
    PlayedWindow window;
    InspectPage page(window.context);
    page.show();
    window.posted.clear();
    page.hide();
    QCOMPARE(window.postedOf<command::Probe>().size(), std::size_t{1});
    QVERIFY(!window.postedOf<command::Probe>().front().live);
  }
};
SWITCHYARD_TEST(InspectPageTest)
#include "inspect_page_test.moc"
