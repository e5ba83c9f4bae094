#pragma once
#include <QWidget>
#include <memory>
#include <vector>

#include "core/explain/explanation.h"
#include "core/session/stored_runs.h"
#include "core/telemetry/snapshot.h"
#include "ui/views/page_context.h"

class QBoxLayout;
class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QLabel;
class QPushButton;
class QScrollArea;
class QSplitter;
class QSpinBox;
class QTimer;

namespace moe::ui {

class EmptyHint;
class ExplainedLabel;
class ProbeText;
class TokenDetails;
class TokenStrip;

/// Where does every token of a text go? Probes the model in training, a paused one or a stored one, and shows a
/// continuation as it grows.
class InspectPage : public QWidget {
  Q_OBJECT

 public:
  explicit InspectPage(const PageContext& context, QWidget* parent = nullptr);

  ProbeText& text() const { return *text_; }
  TokenStrip& strip() const { return *strip_; }
  TokenDetails& details() const { return *details_; }
  QPushButton& generateButton() const { return *generate_; }
  /// The line above the chips: what is shown, of which run and step.
  QString caption() const;
  /// Every number of the chosen token, its loss first; empty: none is chosen.
  std::vector<Explanation> explanations() const;

 protected:
  void showEvent(QShowEvent* event) override;
  void hideEvent(QHideEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;

 private:
  QWidget* makeInput();
  QWidget* makeResult();
  void arrange();
  void probe();
  void generate();
  void showRouting(std::shared_ptr<const TextRouting> routing, bool generating);
  void showToken(int token);
  void showLayers();
  void showCaution();
  void showLeftOut();
  void offerCheckpoints(const StoredRun& run);

  PageContext context_;
  ProbeText* text_;
  QLabel* leftOut_;     // of a text too long to hold
  QBoxLayout* inputs_;  // who routes the text, and its continuation
  QSplitter* results_;  // tokens, and the chosen one
  QComboBox* source_;   // the model in training, or a stored checkpoint (its path as data)
  QCheckBox* live_;
  QSpinBox* tokens_;
  QDoubleSpinBox* temperature_;
  QPushButton* generate_;
  QComboBox* layer_;
  QLabel* caption_;
  ExplainedLabel* tokenCaption_;
  EmptyHint* hint_;
  TokenStrip* strip_;
  QScrollArea* chips_;  // around the strip
  TokenDetails* details_;
  QTimer* typing_;                            // a probe follows the last key stroke, not each
  std::uint64_t asked_ = 0, generating_ = 0;  // newest requests; 0: none
  std::shared_ptr<const TextRouting> routing_;
};

QWidget* makeInspectPage(const PageContext& context, QWidget* parent);

}  // namespace moe::ui
