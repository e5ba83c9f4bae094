#pragma once
#include <QWidget>

class QLabel;
class QPushButton;

namespace moe::ui {

class Theme;

/// Where the text comes from: the built-in corpus, a file, or a folder.
class SourceField : public QWidget {
  Q_OBJECT

 public:
  explicit SourceField(Theme& theme, QWidget* parent = nullptr);
  void setState(const QString& source, bool pending, const QString& problem);
  /// Short, for a closed card: "built-in corpus", or the file's name.
  QString label() const;

 Q_SIGNALS:
  void chosen(const QString& source);

 private:
  void choose(bool folder);
  void dress();

  Theme& theme_;
  QString source_;
  bool pending_ = false;
  QLabel *where_, *problem_;
};

}  // namespace moe::ui
