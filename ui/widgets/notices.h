#pragma once
#include <QFrame>
#include <functional>
#include <vector>

class QVBoxLayout;

namespace moe::ui {

class Theme;

/// Sentences and questions in place, above the page: no dialog stops the person. Each can be closed; the newest is last.
class Notices : public QWidget {
  Q_OBJECT

 public:
  enum class Kind { note, problem };
  struct Answer {
    QString label;
    std::function<void()> act;
  };

  explicit Notices(Theme& theme, QWidget* parent = nullptr);
  /// `key`: a later notice of the same key takes its place; empty: the sentence itself.
  void show(Kind kind, const QString& sentence, std::vector<Answer> answers = {}, QString key = {});
  void close(const QString& key);
  int count() const;
  /// Sentences now shown, for tests and for screen readers.
  QStringList sentences() const;

 private:
  QFrame* find(const QString& key) const;

  Theme& theme_;
  QVBoxLayout* rows_;
};

}  // namespace moe::ui
