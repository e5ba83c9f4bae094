#pragma once
#include <QFrame>
#include <QLabel>

class QVBoxLayout;

namespace moe::ui {

class Theme;

/// A titled box on the base ground: one thing a page shows. Fill `body()`.
class Card : public QFrame {
  Q_OBJECT

 public:
  Card(Theme& theme, const QString& title, QWidget* parent = nullptr);
  void setTitle(const QString& title);
  QVBoxLayout* body() const { return body_; }

 private:
  void dress();

  Theme& theme_;
  QLabel* title_;
  QVBoxLayout* body_;
};

/// What an empty panel says: what will appear there, and how to make it.
class EmptyHint : public QLabel {
  Q_OBJECT

 public:
  EmptyHint(Theme& theme, const QString& sentence, QWidget* parent = nullptr);
};

}  // namespace moe::ui
