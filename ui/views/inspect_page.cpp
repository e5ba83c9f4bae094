#include "ui/views/inspect_page.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QScrollArea>
#include <QSettings>
#include <QSpinBox>
#include <QSplitter>
#include <QTimer>
#include <QVBoxLayout>
#include <cmath>

#include "ui/models/run_history.h"
#include "ui/models/selection.h"
#include "ui/session/run_library.h"
#include "ui/session/session_bridge.h"
#include "ui/theme/theme.h"
#include "ui/views/curve_series.h"
#include "ui/widgets/card.h"
#include "ui/widgets/explain_popover.h"
#include "ui/widgets/format.h"
#include "ui/widgets/probe_text.h"
#include "ui/widgets/token_details.h"
#include "ui/widgets/token_strip.h"

namespace moe::ui {

namespace {

constexpr int kLeastBeside = 60;   // heights of a line, to stand side by side
constexpr int kTypingPause = 250;  // ms without a key before the text is sent
const char kTextSetting[] = "inspect/text";
constexpr int kMostInSettings = 4000;  // characters: settings are read whole at every start

QScrollArea* scrolled(QWidget* content, QWidget* parent) {
  auto* scroll = new QScrollArea(parent);
  scroll->setWidgetResizable(true);
  scroll->setFrameShape(QFrame::NoFrame);
  scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll->setWidget(content);
  return scroll;
}

}  // namespace

InspectPage::InspectPage(const PageContext& context, QWidget* parent)
    : QWidget(parent), context_(context), typing_(new QTimer(this)) {
  typing_->setSingleShot(true);
  typing_->setInterval(kTypingPause);
  auto* splitter = new QSplitter(Qt::Vertical, this);
  splitter->addWidget(makeInput());
  splitter->addWidget(makeResult());
  splitter->setStretchFactor(0, 0);
  splitter->setStretchFactor(1, 1);
  splitter->setChildrenCollapsible(false);
  splitter->setSizes({150, 600});  // a few lines of text; the routing is what the page is for
  auto* all = new QVBoxLayout(this);
  all->addWidget(splitter);
  setFocusProxy(text_);

  text_->setText(context_.settings.value(kTextSetting, tr("The quick brown fox adds 12 + 30 = 42.")).toString());
  connect(typing_, &QTimer::timeout, this, &InspectPage::probe);
  connect(text_, &ProbeText::leftOutChanged, this, &InspectPage::showLeftOut);
  connect(text_, &QPlainTextEdit::textChanged, typing_, qOverload<>(&QTimer::start));
  connect(source_, &QComboBox::activated, this, &InspectPage::probe);
  connect(live_, &QCheckBox::toggled, this, &InspectPage::probe);
  connect(generate_, &QPushButton::clicked, this, &InspectPage::generate);
  connect(layer_, &QComboBox::currentIndexChanged, this, [this](int index) {
    strip_->setLayer(std::max(0, index));
    if (routing_ && !routing_->tokens.empty() && index >= 0 &&
        index < static_cast<int>(routing_->tokens.front().layers.size()))
      context_.selection.setLayer(routing_->tokens.front().layers[static_cast<std::size_t>(index)].layer);
  });
  connect(strip_, &TokenStrip::tokenChosen, &context_.selection, &Selection::setToken);
  connect(strip_, &TokenStrip::explainWanted, tokenCaption_, &ExplainedLabel::explain);
  tokenCaption_->setSource([this] { return explanations(); });
  connect(&context_.history, &RunHistory::runsChanged, this, &InspectPage::showCaution);
  connect(&context_.selection, &Selection::changed, this, [this](const Place& place) {
    showToken(place.token);
    const int index = layer_->findData(place.layer);
    if (index >= 0) layer_->setCurrentIndex(index);
  });
  connect(&context_.session, &SessionBridge::probeArrived, this, [this](std::shared_ptr<const TextRouting> routing) {
    if (isVisible() && generating_ == 0 && routing->request == asked_) showRouting(std::move(routing), false);
  });
  connect(&context_.session, &SessionBridge::generationArrived, this,
          [this](std::shared_ptr<const TextRouting> routing) {
            if (routing->request == generating_) showRouting(std::move(routing), true);
          });
  connect(&context_.session, &SessionBridge::runStarted, this, [this](const RunSummary& run) {
    context_.library.read(run.id);
    if (isVisible()) probe();
  });
  connect(&context_.library, &RunLibrary::runRead, this, [this](std::shared_ptr<const StoredRun> run) {
    if (run->summary.id == context_.history.main()) offerCheckpoints(*run);
  });
}

QWidget* InspectPage::makeInput() {
  auto* card = new Card(context_.theme, tr("Text"), this);
  text_ = new ProbeText(card);
  text_->setPlaceholderText(tr("Type or paste a text: the routing of each of its tokens appears below."));
  text_->setAccessibleName(tr("Text to route"));
  text_->setTabChangesFocus(true);
  text_->setMinimumHeight(2 * text_->fontMetrics().lineSpacing() + 16);
  card->body()->addWidget(text_, 1);
  leftOut_ = new QLabel(card);
  leftOut_->setWordWrap(true);
  leftOut_->hide();
  card->body()->addWidget(leftOut_);
  inputs_ = new QBoxLayout(QBoxLayout::LeftToRight);
  auto* line = new QHBoxLayout;
  auto* further = new QHBoxLayout;
  inputs_->addLayout(line);
  inputs_->addLayout(further);
  source_ = new QComboBox(card);
  source_->addItem(tr("the model in training"));
  source_->setAccessibleName(tr("Which model routes the text"));
  source_->setToolTip(tr("The model as it is now, or as it was at a stored checkpoint of this run"));
  live_ = new QCheckBox(tr("follow the training"), card);
  live_->setChecked(true);
  live_->setToolTip(tr("Route the text again as the model learns"));
  tokens_ = new QSpinBox(card);
  tokens_->setRange(1, 4096);
  tokens_->setValue(64);
  tokens_->setSuffix(tr(" tokens"));
  tokens_->setAccessibleName(tr("Length of the continuation"));
  temperature_ = new QDoubleSpinBox(card);
  temperature_->setRange(0, 5);
  temperature_->setSingleStep(0.1);
  temperature_->setValue(0.8);
  temperature_->setPrefix(tr("temperature "));
  temperature_->setToolTip(tr("Logits are divided by it before a token is drawn; 0 always takes the most likely one"));
  generate_ = new QPushButton(tr("Continue the text"), card);
  generate_->setToolTip(tr("Generates token by token, each shown with its routing as it comes"));
  line->addWidget(new QLabel(tr("Routed by"), card));
  line->addWidget(source_);
  line->addWidget(live_);
  line->addStretch(1);
  further->addStretch(1);
  further->addWidget(tokens_);
  further->addWidget(temperature_);
  further->addWidget(generate_);
  card->body()->addLayout(inputs_);
  connect(&context_.theme, &Theme::changed, this, &InspectPage::arrange);
  return card;
}

QWidget* InspectPage::makeResult() {
  auto* tokens = new Card(context_.theme, tr("Where every token goes"), this);
  auto* line = new QHBoxLayout;
  caption_ = new QLabel(tokens);
  caption_->setWordWrap(true);
  layer_ = new QComboBox(tokens);
  layer_->setAccessibleName(tr("Layer that colours the chips"));
  line->addWidget(caption_, 1);
  auto* coloured = new QLabel(tr("Coloured by"), tokens);
  for (QWidget* part : {static_cast<QWidget*>(coloured), static_cast<QWidget*>(layer_)})
    part->setToolTip(tr("Chips have the colour of their first expert in this layer"));
  line->addWidget(coloured);
  line->addWidget(layer_);
  tokens->body()->addLayout(line);
  strip_ = new TokenStrip(context_.theme);
  hint_ = new EmptyHint(context_.theme,
                        tr("Each token of your text appears here as a chip with the number of its expert, and below it "
                           "the same for every layer."),
                        tokens);
  chips_ = scrolled(strip_, tokens);
  chips_->hide();
  tokens->body()->addWidget(hint_, 1);
  tokens->body()->addWidget(chips_, 1);

  auto* token = new Card(context_.theme, tr("The chosen token"), this);
  tokenCaption_ = new ExplainedLabel(context_.theme, token);
  tokenCaption_->setText(tr("Click a chip, or walk with the arrow keys, to see every layer's scores."));
  tokenCaption_->setWordWrap(true);
  details_ = new TokenDetails(context_.theme);
  token->body()->addWidget(tokenCaption_);
  token->body()->addWidget(scrolled(details_, token), 1);

  results_ = new QSplitter(Qt::Horizontal, this);
  results_->addWidget(tokens);
  results_->addWidget(token);
  results_->setStretchFactor(0, 3);
  results_->setStretchFactor(1, 2);
  results_->setChildrenCollapsible(false);
  return results_;
}

/// Large type, or a narrow window, leaves no room for things side by side.
void InspectPage::arrange() {
  const bool narrow = width() < kLeastBeside * QFontMetrics(context_.theme.font()).height();
  inputs_->setDirection(narrow || context_.theme.presenter() ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
  results_->setOrientation(narrow ? Qt::Vertical : Qt::Horizontal);
}

void InspectPage::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  arrange();
}

QString InspectPage::caption() const { return caption_->text(); }

void InspectPage::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  if (context_.history.main() != 0) context_.library.read(context_.history.main());
  if (generating_ == 0) probe();
}

void InspectPage::hideEvent(QHideEvent* event) {
  // Nobody looks: the worker need not route the text again and again.
  if (live_->isChecked()) {
    asked_ = context_.session.nextRequest();
    context_.session.post(command::Probe{.request = asked_, .text = {}, .live = false});
  }
  QWidget::hideEvent(event);
}

void InspectPage::probe() {
  const QString text = text_->toPlainText();
  context_.settings.setValue(kTextSetting, text.right(kMostInSettings));
  if (generating_ != 0) {
    context_.session.post(command::StopGenerating{});
    generating_ = 0;
    generate_->setText(tr("Continue the text"));
  }
  asked_ = context_.session.nextRequest();
  const QString stored = source_->currentData().toString();
  live_->setEnabled(stored.isEmpty());
  if (stored.isEmpty())
    context_.session.post(command::Probe{.request = asked_, .text = text.toStdString(), .live = live_->isChecked()});
  else
    context_.session.post(
        command::ProbeStored{.request = asked_, .text = text.toStdString(), .checkpoint = stored.toStdString()});
}

void InspectPage::generate() {
  if (generating_ != 0) return probe();
  generating_ = context_.session.nextRequest();
  generate_->setText(tr("Stop"));
  context_.session.post(command::Generate{
      .request = generating_,
      .prompt = text_->toPlainText().toStdString(),
      .settings = {.tokens = tokens_->value(), .temperature = temperature_->value(), .seed = generating_}});
}

void InspectPage::showRouting(std::shared_ptr<const TextRouting> routing, bool generating) {
  routing_ = std::move(routing);
  const bool any = !routing_->tokens.empty();
  hint_->setVisible(!any);
  chips_->setVisible(any);
  strip_->setRouting(routing_);
  QString words = routing_->problem.empty()
                      ? tr("run %1 at step %2 · %3 tokens")
                            .arg(routing_->run)
                            .arg(grouped(routing_->step), grouped(static_cast<std::int64_t>(routing_->tokens.size())))
                      : QString::fromStdString(routing_->problem);
  if (routing_->leftOut > 0)
    words += tr(" · the %1 tokens before them are not routed: the model's context holds no more")
                 .arg(grouped(routing_->leftOut));
  if (generating && !routing_->complete) words += tr(" · growing");
  if (const QString caution = cautionFor(context_.history, {routing_->run}); !caution.isEmpty())
    words += tr(" · ") + caution;
  caption_->setText(words);
  showCaution();
  showLayers();
  showToken(context_.selection.place().token);
  if (generating && routing_->complete) generating_ = 0, generate_->setText(tr("Continue the text"));
}

void InspectPage::showLeftOut() {
  leftOut_->setVisible(text_->leftOut() > 0);
  leftOut_->setText(tr("The first %1 characters of what was pasted are left out and not routed: the last %2 are here, "
                       "more than a model looks back.")
                        .arg(grouped(text_->leftOut()), grouped(text_->toPlainText().size())));
}

void InspectPage::showCaution() {
  const QString caution = routing_ ? cautionFor(context_.history, {routing_->run}) : QString();
  strip_->setCaution(caution);
  details_->setCaution(caution);
}

std::vector<Explanation> InspectPage::explanations() const {
  const int token = strip_->chosen();
  if (!routing_ || token < 0 || token >= static_cast<int>(routing_->tokens.size())) return {};
  const TokenRouting& chosen = routing_->tokens[static_cast<std::size_t>(token)];
  std::vector<Explanation> all{explainTokenLoss(chosen, routing_->step)};
  for (std::size_t layer = 0; layer < chosen.layers.size(); ++layer)
    for (TokenExplanation& one : details_->explanations(layer)) all.push_back(std::move(one.text));
  return all;
}

void InspectPage::showLayers() {
  const std::size_t count = routing_->tokens.empty() ? 0 : routing_->tokens.front().layers.size();
  if (static_cast<std::size_t>(layer_->count()) == count) return;
  const QSignalBlocker quiet(layer_);
  layer_->clear();
  for (const TokenLayerRouting& layer : count == 0 ? std::vector<TokenLayerRouting>{} : routing_->tokens.front().layers)
    layer_->addItem(layerWords(layer.layer), layer.layer);
  strip_->setLayer(std::max(0, layer_->currentIndex()));
}

void InspectPage::showToken(int token) {
  const bool there = routing_ && token >= 0 && token < static_cast<int>(routing_->tokens.size());
  strip_->setChosen(there ? token : -1);
  if (!there) {
    details_->setToken(nullptr);
    tokenCaption_->setText(tr("Click a chip, or walk with the arrow keys, to see every layer's scores."));
    return;
  }
  const TokenRouting& chosen = routing_->tokens[static_cast<std::size_t>(token)];
  const RunHistory::Run* run = context_.history.find(routing_->run);
  details_->setToken(&chosen, routing_->step, run ? run->facts.routers : std::vector<RouterFacts>{});
  const QString loss =
      std::isfinite(chosen.loss)
          ? (chosen.given ? tr("loss %1 nats, given the %2 tokens before it that the full context still holds")
                                .arg(number(chosen.loss))
                                .arg(*chosen.given)
                          : tr("loss %1 nats, given the tokens before it").arg(number(chosen.loss)))
          : tr("no loss: nothing stands before it");
  tokenCaption_->setText(
      tr("Token %1 · “%2” · id %3 · %4").arg(token + 1).arg(chipText(chosen.text)).arg(chosen.id).arg(loss));
}

void InspectPage::offerCheckpoints(const StoredRun& run) {
  const QString before = source_->currentData().toString();
  const QSignalBlocker quiet(source_);
  while (source_->count() > 1) source_->removeItem(1);
  for (const CheckpointRow& row : run.checkpoints)
    source_->addItem(tr("its checkpoint at step %1").arg(grouped(row.step)), QString::fromStdString(row.path));
  const int index = before.isEmpty() ? 0 : source_->findData(before);
  source_->setCurrentIndex(std::max(0, index));
}

QWidget* makeInspectPage(const PageContext& context, QWidget* parent) { return new InspectPage(context, parent); }

}  // namespace moe::ui
