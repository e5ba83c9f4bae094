#include "ui/views/inspect_page.h"

#include <QPlainTextEdit>
#include <QPushButton>
#include <limits>

#include "tests/support/played_window.h"
#include "tests/support/register.h"
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
      token.layers.push_back({.layer = l, .experts = {first, (first + 1) % 4}, .weights = {0.7f, 0.3f},
                              .probabilities = {0.1f, 0.2f, 0.3f, 0.4f}, .margin = 0.05f, .dropped = false});
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
