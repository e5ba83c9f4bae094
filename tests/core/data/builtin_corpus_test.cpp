#include "core/data/builtin_corpus.h"

#include <QCryptographicHash>
#include <QRegularExpression>

#include <set>

#include "core/base/utf8.h"
#include "tests/support/register.h"

using namespace moe;

namespace {

QString textOf(const std::string& name, std::uint64_t seed) {
  for (const LabelledText& domain : builtinDomains(seed))
    if (domain.name == name) return QString::fromStdString(domain.text);
  return {};
}

}  // namespace

class BuiltinCorpusTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void thereAreTenDomainsOfEqualSize() {
    const auto domains = builtinDomains(1);
    std::set<std::string> names;
    for (const LabelledText& domain : domains) {
      names.insert(domain.name);
      QVERIFY2(domain.text.size() >= 30'000 && domain.text.size() < 33'000, domain.name.c_str());
      QVERIFY(!firstInvalidUtf8(domain.text) && !firstBinaryByte(domain.text));
    }
    QCOMPARE(names.size(), std::size_t{10});
  }
  void theSameSeedGivesTheSameBytesOnEveryMachine() {
    QCryptographicHash hash(QCryptographicHash::Sha256);
    for (const LabelledText& domain : builtinDomains(1)) hash.addData(QByteArray::fromStdString(domain.text));
    QCOMPARE(hash.result().toHex(), QByteArray("257e98204aea0f85c5b34fbef4e52abd5dda683b548e6aea5709c1cea531033c"));
    QVERIFY(builtinDomains(1)[0].text != builtinDomains(2)[0].text);
  }
  void everyLineOfArithmeticIsTrue() {
    static const QRegularExpression line(R"(^(\d+) ([-+*/<>=]) (-?\d+)(?: = (-?\d+))?$)"),
        product(R"(^\((\d+) \+ (\d+)\) \* (\d+) = (\d+)$)");
    int checked = 0;
    for (const QString& text : textOf("arithmetic", 5).split('\n', Qt::SkipEmptyParts)) {
      bool right = false;
      if (const auto match = product.match(text); match.hasMatch()) {
        right = (match.captured(1).toInt() + match.captured(2).toInt()) * match.captured(3).toInt() ==
                match.captured(4).toInt();
      } else {
        const auto parts = line.match(text);
        QVERIFY2(parts.hasMatch(), qPrintable(text));
        const int a = parts.captured(1).toInt(), b = parts.captured(3).toInt(), result = parts.captured(4).toInt();
        switch (parts.captured(2)[0].toLatin1()) {
          case '+': right = a + b == result; break;
          case '-': right = a - b == result; break;
          case '*': right = a * b == result; break;
          case '/': right = b != 0 && a == b * result; break;
          case '<': right = a < b; break;
          case '>': right = a > b; break;
          case '=': right = a == b; break;
        }
      }
      QVERIFY2(right, qPrintable(text));
      ++checked;
    }
    QVERIFY(checked > 1000);
  }
  void everyElementOfTheMarkupIsClosedByItsName() {
    static const QRegularExpression tag("<(/?)([a-z0-9]+)[^>]*>");
    QStringList open;
    auto tags = tag.globalMatch(textOf("markup", 5));
    int closed = 0;
    while (tags.hasNext()) {
      const auto match = tags.next();
      if (match.captured(1).isEmpty()) {
        open.append(match.captured(2));
        continue;
      }
      QVERIFY(!open.isEmpty());
      QCOMPARE(match.captured(2), open.takeLast());
      ++closed;
    }
    QVERIFY(open.isEmpty() && closed > 300);
  }
  void everyGeneIsFollowedByItsReverseComplement() {
    int genes = 0;
    for (const QString& entry : textOf("dna", 5).split('>', Qt::SkipEmptyParts)) {
      static QString gene;
      QString bases = entry.mid(entry.indexOf('\n')).remove('\n');
      if (!entry.contains("reverse")) {
        gene = bases;
        QVERIFY(gene.startsWith("ATG") && gene.size() % 3 == 0);
        continue;
      }
      std::reverse(bases.begin(), bases.end());
      bases.replace('A', 't').replace('T', 'a').replace('C', 'g').replace('G', 'c');
      QCOMPARE(bases.toUpper(), gene);
      ++genes;
    }
    QVERIFY(genes > 50);
  }
};
SWITCHYARD_TEST(BuiltinCorpusTest)
#include "builtin_corpus_test.moc"
