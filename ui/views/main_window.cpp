#include "ui/views/main_window.h"

#include <QAbstractButton>
#include <QActionGroup>
#include <QApplication>
#include <QCloseEvent>
#include <QDockWidget>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QMenu>
#include <QMenuBar>
#include <QScreen>
#include <QScrollArea>
#include <QSettings>
#include <QStackedWidget>
#include <QStyle>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/models/run_history.h"
#include "ui/session/run_library.h"
#include "ui/session/session_bridge.h"
#include "ui/theme/theme.h"
#include "ui/views/dropped_text.h"
#include "ui/views/help_dialogs.h"
#include "ui/views/pages.h"
#include "ui/views/run_bar.h"
#include "ui/widgets/format.h"
#include "ui/widgets/layout_shortcuts.h"
#include "ui/widgets/notices.h"
#include "ui/widgets/panel_scroll.h"

namespace moe::ui {

namespace {

constexpr int kLayoutVersion = 1;   // of the saved panels; raise it when the standard layout changes
constexpr int kLeastUnfolded = 56;  // heights of a line that panels beside the yard need

/// What a screen leaves to the inside of a window: without the desktop's bars, nor the window's own title and edges.
QSize roomOn(const QScreen& screen, const QWidget& window) {
  const QStyle* style = window.style();
  const int edge = style->pixelMetric(QStyle::PM_DefaultFrameWidth) + 4;
  return screen.availableSize() - QSize(2 * edge, style->pixelMetric(QStyle::PM_TitleBarHeight) + 2 * edge);
}

}  // namespace

MainWindow::MainWindow(const PageContext& context, QWidget* parent)
    : QMainWindow(parent),
      context_(context),
      bar_(new RunBar(context.session, context.history, context.theme, this)),
      navigation_(new QWidget(this)),
      buttons_(new QVBoxLayout(navigation_)),
      pageActions_(new QActionGroup(this)),
      stack_(new QStackedWidget(this)),
      train_(new QMainWindow(this)) {
  setWindowTitle("Switchyard");
  setAcceptDrops(true);
  // Less than the contents would like: they scroll, elide and fold before the window leaves its screen.
  setMinimumSize(QSize(38, 20) * QFontMetrics(font()).height());
  resize(usualSize());

  auto* central = new QWidget(this);
  auto* all = new QVBoxLayout(central);
  all->setContentsMargins(0, 0, 0, 0);
  all->setSpacing(0);
  all->addWidget(bar_);
  all->addWidget(&context_.notices);
  auto* below = new QHBoxLayout;
  below->setSpacing(0);
  below->addWidget(navigation_);
  below->addWidget(stack_, 1);
  all->addLayout(below, 1);
  setCentralWidget(central);

  buildMenus();
  buildPages();
  buildPanels();
  connect(bar_, &RunBar::alertsWanted, this, [this] { raisePanel("alerts"); });
  connect(&context_.session, &SessionBridge::problemArrived, this, [this](const QString& sentence) {
    if (sentence != storeProblem_) context_.notices.show(Notices::Kind::problem, sentence);  // said once
  });
  connect(&context_.session, &SessionBridge::statusChanged, this, &MainWindow::follow);
  connect(&context_.history, &RunHistory::pastWanted, this, [this](RunId run) { context_.library.read(run); });
  connect(&context_.library, &RunLibrary::runRead, this, [this](const std::shared_ptr<const StoredRun>& run) {
    context_.history.addPast(run->summary.id, run->points, run->events, run->studies);
  });
  connect(&context_.theme, &Theme::changed, this, &MainWindow::dress);
  qApp->installEventFilter(this);
  new LayoutShortcuts(*this);
  dress();
  restoreLayout();
}

MainWindow::~MainWindow() {
  context_.notices.setParent(nullptr);  // belongs to who made the context
}

void MainWindow::buildPages() {
  buttons_->setContentsMargins(0, 4, 0, 4);
  buttons_->setSpacing(0);
  int number = 0;
  for (const PageEntry& entry : pages()) {
    const QString id = entry.id;
    auto* action = new QAction(tr(entry.title), pageActions_);
    action->setCheckable(true);
    action->setToolTip(tr(entry.question));
    action->setShortcut(Qt::CTRL | static_cast<Qt::Key>(Qt::Key_1 + number++));
    action->setData(id);
    connect(action, &QAction::triggered, this, [this, id] { showPage(id); });
    menu("&View")->insertAction(menu("&View")->actions().first(), action);

    auto* button = new QToolButton(navigation_);
    button->setDefaultAction(action);
    button->setObjectName("navigation");
    button->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    button->setFocusPolicy(Qt::TabFocus);
    buttons_->addWidget(button);

    QWidget* page = entry.make(context_, this);
    pages_[id] = page;
    if (id == "train") {
      train_->setWindowFlags(Qt::Widget);
      train_->setDockOptions(QMainWindow::AllowTabbedDocks | QMainWindow::AllowNestedDocks |
                             QMainWindow::AnimatedDocks);
      train_->setCentralWidget(page);
      stack_->addWidget(train_);
    } else {
      auto* scroll = new QScrollArea(this);  // a page wider than the window scrolls; it does not make the window grow
      scroll->setWidgetResizable(true);
      scroll->setFrameShape(QFrame::NoFrame);
      scroll->setWidget(page);
      stack_->addWidget(scroll);
    }
    adoptActions(page);
  }
  buttons_->addStretch(1);
  showPage(pages().front().id);
}

void MainWindow::buildPanels() {
  QMenu* list = new QMenu(tr("&Panels"), this);
  for (const PanelEntry& entry : panels()) {
    auto* dock = new QDockWidget(tr(entry.title), train_);
    dock->setObjectName(entry.id);
    QWidget* content = entry.make(context_, dock);
    dock->setWidget(new PanelScroll(content, dock));
    train_->addDockWidget(entry.area, dock);
    docks_[entry.id] = dock;
    list->addAction(dock->toggleViewAction());
    adoptActions(content);
  }
  auto* reset = new QAction(tr("&Reset layout"), this);
  connect(reset, &QAction::triggered, this, &MainWindow::resetLayout);
  menu("&View")->addSeparator();
  menu("&View")->addMenu(list);
  menu("&View")->addAction(reset);
}

QMenu* MainWindow::menu(const QString& title) { return menus_.at(title); }

void MainWindow::adoptActions(QWidget* widget) {
  for (QAction* action : widget->actions()) {
    const QString name = action->property("menu").toString();
    if (!name.isEmpty()) menu('&' + name)->addAction(action);
  }
}

void MainWindow::buildMenus() {
  for (const char* title : {"&File", "&Edit", "&View", "&Run", "&Help"}) menus_[title] = menuBar()->addMenu(tr(title));
  const auto add = [this](const char* where, const QString& text, const QKeySequence& keys, auto act) {
    auto* action = menu(where)->addAction(text);
    action->setShortcut(keys);
    connect(action, &QAction::triggered, this, act);
    return action;
  };
  add("&File", tr("&Open text file…"), QKeySequence::Open, [this] { openText(false); });
  add("&File", tr("Open &folder of texts…"), Qt::CTRL | Qt::SHIFT | Qt::Key_O, [this] { openText(true); });
  menu("&File")->addSeparator();
  add("&File", tr("Choose another &store…"), {}, [this] { chooseStore(); });
  menu("&File")->addSeparator();
  QAction* quit = add("&File", tr("&Quit"), QKeySequence::Quit, [this] { close(); });
  quit->setMenuRole(QAction::QuitRole);

  QAction* undo = add("&Edit", tr("&Undo last setting"), QKeySequence::Undo,
                      [this] { context_.session.post(command::UndoKnob{}); });
  undo->setEnabled(false);
  connect(&context_.session, &SessionBridge::statusChanged, undo,
          [undo](const SessionStatus& s) { undo->setEnabled(s.canUndo); });

  menu("&Run")->addActions({bar_->playAction(), bar_->stepAction(), bar_->restartAction()});
  menu("&Run")->addSeparator();
  menu("&Run")->addActions(bar_->paces()->actions());
  connect(bar_->paces(), &QActionGroup::triggered, this,
          [this](QAction* pace) { context_.settings.setValue("fluid", pace->data()); });
  menu("&Run")->addSeparator();
  QAction* twin = add("&Run", tr("Compare with &dense"), {}, [this] {
    if (context_.session.status().twin != 0)
      context_.session.post(command::CloseTwin{});
    else
      context_.session.post(command::StartTwin{});
  });
  twin->setCheckable(true);
  connect(&context_.session, &SessionBridge::statusChanged, twin,
          [twin](const SessionStatus& s) { twin->setChecked(s.twin != 0); });
  add("&Run", tr("Back to the last &healthy checkpoint"), {},
      [this] { context_.session.post(command::RestoreHealthy{}); });
  add("&Run", tr("Save a &checkpoint and keep it"), QKeySequence::Save,
      [this] { context_.session.post(command::SaveCheckpoint{.pin = true}); });

  menu("&View")->addSeparator();
  auto* modes = new QActionGroup(this);
  const std::pair<Theme::Mode, QString> kModes[] = {{Theme::Mode::system, tr("Theme of the &system")},
                                                    {Theme::Mode::light, tr("&Light theme")},
                                                    {Theme::Mode::dark, tr("&Dark theme")}};
  for (const auto& [mode, text] : kModes) {
    QAction* action = add("&View", text, {}, [this, mode = mode] { context_.theme.setMode(mode); });
    action->setCheckable(true);
    modes->addAction(action);
    const auto check = [this, action, mode = mode] { action->setChecked(context_.theme.mode() == mode); };
    connect(&context_.theme, &Theme::changed, action, check);
    check();
  }
  QAction* presenter = add("&View", tr("&Presenter mode"), Qt::Key_F5,
                           [this] { context_.theme.setPresenter(!context_.theme.presenter()); });
  presenter->setCheckable(true);
  connect(&context_.theme, &Theme::changed, presenter,
          [this, presenter] { presenter->setChecked(context_.theme.presenter()); });

  add("&Help", tr("&First steps"), QKeySequence::HelpContents,
      [this] { showHelpPage(tr("First steps"), "first-steps.md", this); });
  add("&Help", tr("When experts &die"), {}, [this] { showHelpPage(tr("When experts die"), "collapse.md", this); });
  add("&Help", tr("&Growing, freezing and going back"), {},
      [this] { showHelpPage(tr("Growing, freezing and going back"), "growing.md", this); });
  add("&Help", tr("What the &numbers mean"), {},
      [this] { showHelpPage(tr("What the numbers mean"), "numbers.md", this); });
  menu("&Help")->addSeparator();
  add("&Help", tr("&Keyboard shortcuts"), Qt::CTRL | Qt::Key_Slash,
      [this] { showShortcuts(findChildren<QAction*>(), this); });
  QAction* about = add("&Help", tr("&About Switchyard"), {}, [this] { showAbout(this); });
  about->setMenuRole(QAction::AboutRole);
}

void MainWindow::follow(const SessionStatus& status) {
  const QString store = QString::fromStdString(status.storeProblem), message = QString::fromStdString(status.message);
  if (store != storeProblem_) {
    if (store.isEmpty())
      context_.notices.close("store");
    else {
      context_.notices.close(store);  // said by whoever asked the store first
      context_.notices.show(Notices::Kind::problem, store, {{tr("Choose another store…"), [this] { chooseStore(); }}},
                            "store");
    }
    storeProblem_ = store;
  }
  if (const QString news = QString::fromStdString(status.storeNews); news != storeNews_) {
    context_.notices.show(Notices::Kind::note, news, {}, "store news");
    storeNews_ = news;
  }
  if (message != message_) {
    std::vector<Notices::Answer> answers;
    if (status.hasHealthyCheckpoint)
      answers.push_back(
          {tr("Back to the last healthy checkpoint"), [this] { context_.session.post(command::RestoreHealthy{}); }});
    if (message.isEmpty())
      context_.notices.close("message");
    else
      context_.notices.show(Notices::Kind::problem, message, std::move(answers), "message");
    message_ = message;
  }
}

void MainWindow::showPage(const QString& id) {
  const auto found = pages_.find(id);
  if (found == pages_.end()) return;
  stack_->setCurrentWidget(id == "train" ? train_ : found->second->parentWidget()->parentWidget());
  for (QAction* action : pageActions_->actions()) action->setChecked(action->data().toString() == id);
  // The keyboard goes to what the page is for, not to the first field of a panel, which would eat the space bar.
  found->second->setFocus();
}

QString MainWindow::page() const {
  return pageActions_->checkedAction() ? pageActions_->checkedAction()->data().toString() : QString();
}

QStringList MainWindow::pageIds() const {
  QStringList ids;
  for (const PageEntry& entry : pages()) ids << entry.id;
  return ids;
}

QWidget* MainWindow::pageWidget(const QString& id) const {
  const auto found = pages_.find(id);
  return found == pages_.end() ? nullptr : found->second;
}

QWidget* MainWindow::panelWidget(const QString& id) const {
  const auto found = docks_.find(id);
  return found == docks_.end() ? nullptr : static_cast<PanelScroll*>(found->second->widget())->widget();
}

void MainWindow::raisePanel(const QString& id) {
  const auto found = docks_.find(id);
  if (found == docks_.end()) return;
  showPage("train");
  found->second->show();
  found->second->raise();
}

void MainWindow::openText(bool folder) {
  const QString path = folder ? QFileDialog::getExistingDirectory(this, tr("Folder of texts"))
                              : QFileDialog::getOpenFileName(this, tr("Text file"), {},
                                                             tr("Text (*.txt *.md *.csv *.json *.py);;All files (*)"));
  if (!path.isEmpty()) offerData(path);
}

void MainWindow::chooseStore() {
  QFileDialog dialog(this, tr("Store of runs: an old one, or a name for a new one"));
  dialog.setAcceptMode(QFileDialog::AcceptSave);
  dialog.setOption(QFileDialog::DontConfirmOverwrite);  // an old one is opened as it is
  dialog.setLabelText(QFileDialog::Accept, tr("Open"));
  dialog.setNameFilter(tr("Stores of runs (*.db)"));
  dialog.setDefaultSuffix("db");
  if (!context_.store.empty()) dialog.selectFile(QString::fromStdString(context_.store.string()));
  if (dialog.exec() != QDialog::Accepted || dialog.selectedFiles().isEmpty()) return;
  const QString file = dialog.selectedFiles().front();
  context_.notices.show(Notices::Kind::note,
                        tr("Open the runs in %1? The present run is saved in its own store, and the window opens anew.")
                            .arg(shown(file.toStdString())),
                        {{tr("Open it"), [this, file] { Q_EMIT storeChosen(file); }}}, "choose store");
}

void MainWindow::offerData(const QString& path) {
  const QFileInfo file(path);
  const std::optional<RunConfig>& present = context_.session.status().config;
  if (!file.exists())
    return context_.notices.show(Notices::Kind::problem,
                                 tr("There is no file or folder %1.").arg(shown(path.toStdString())), {}, "data");
  if (!present)
    return context_.notices.show(Notices::Kind::problem,
                                 tr("The engine is still preparing; drop the text again in a moment."));
  const auto start = [this, path] {
    RunConfig config = context_.session.status().config.value_or(RunConfig{});
    config.data.source = path.toStdString();
    context_.session.post(command::Start{.config = std::move(config)});
  };
  context_.notices.show(
      Notices::Kind::note,
      tr("Train a new model of the present recipe on %1? The present run is kept, and can be continued.")
          .arg(shown(file.fileName().toStdString())),
      {{tr("Start new run"), start}}, "data");
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
  if (mayBeDropped(event->mimeData())) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
  // Looked at again: what was dragged in may be gone, and its program with it.
  const DroppedText dropped = droppedText(event->mimeData());
  if (!dropped.problem.isEmpty()) context_.notices.show(Notices::Kind::problem, dropped.problem, {}, "data");
  if (dropped.path.isEmpty()) return event->ignore();
  offerData(dropped.path);
  event->acceptProposedAction();
}

bool MainWindow::eventFilter(QObject* watched, QEvent* event) {
  // Space plays and pauses, except on a button that the keyboard has walked to: there it presses the button.
  if (event->type() == QEvent::ShortcutOverride && static_cast<QKeyEvent*>(event)->key() == Qt::Key_Space &&
      qobject_cast<QAbstractButton*>(watched)) {
    event->accept();
    return true;
  }
  return QMainWindow::eventFilter(watched, event);
}

void MainWindow::dress() {
  if (isVisible()) foldPanels();
  const Colours& c = context_.theme.colours();
  navigation_->setStyleSheet(
      QString("QToolButton#navigation { border: 0; border-left: 4px solid transparent; padding: 10px 12px 10px 8px; "
              "color: %1; }"
              "QToolButton#navigation:checked { border-left-color: %2; color: %3; font-weight: 600; background: %4; }"
              "QToolButton#navigation:hover { background: %4; }"
              "QToolButton#navigation:focus { text-decoration: underline; }")
          .arg(c.muted.name(), c.accent.name(), c.text.name(), c.raised.name()));
}

void MainWindow::resetLayout() {
  usualPanels_.clear();
  for (const PanelEntry& entry : panels()) {
    QDockWidget* dock = docks_.at(entry.id);
    dock->setFloating(false);
    train_->removeDockWidget(dock);
    train_->addDockWidget(entry.area, dock);
    dock->show();
  }
  arrangePanels();
  foldPanels();
}

void MainWindow::arrangePanels() {
  const QFontMetrics metrics(context_.theme.font());
  for (const PanelEntry& entry : panels()) {
    // Wide enough for a sentence of five words beside a scroll bar.
    train_->resizeDocks({docks_.at(entry.id)}, {24 * metrics.averageCharWidth() + 100}, Qt::Horizontal);
    train_->resizeDocks({docks_.at(entry.id)}, {1000}, Qt::Vertical);
  }
}

/// The yard keeps its width: where there is little, and in large type, all panels stand behind each other at the right.
void MainWindow::foldPanels() {
  const bool fold =
      context_.theme.presenter() || stack_->width() < kLeastUnfolded * QFontMetrics(context_.theme.font()).height();
  if (fold == !usualPanels_.isEmpty()) return;
  if (!fold) return unfoldPanels();
  usualPanels_ = train_->saveState(kLayoutVersion);
  QDockWidget* first = nullptr;
  for (const PanelEntry& entry : panels()) {
    QDockWidget* dock = docks_.at(entry.id);
    if (dock->isHidden() || dock->isFloating()) continue;
    if (first)
      train_->tabifyDockWidget(first, dock);
    else
      train_->addDockWidget(Qt::RightDockWidgetArea, first = dock);
  }
  const auto alerts = docks_.find("alerts");
  if (alerts != docks_.end()) alerts->second->raise();
  if (first) train_->resizeDocks({first}, {std::min(400, stack_->width() * 2 / 5)}, Qt::Horizontal);
}

/// Each to its usual place; what was closed or opened meanwhile stays so.
void MainWindow::unfoldPanels() {
  std::map<QDockWidget*, bool> shown;
  for (const auto& [id, dock] : docks_) shown[dock] = !dock->isHidden();
  train_->restoreState(usualPanels_, kLayoutVersion);
  usualPanels_.clear();
  for (const auto& [dock, visible] : shown) dock->setVisible(visible);
}

/// Room for the yard beside the panels, in the font at hand; no larger than the screen.
QSize MainWindow::usualSize() const {
  const int line = QFontMetrics(font()).height();
  return QSize(75 * line, 47 * line).expandedTo(QSize(1280, 800)).boundedTo(roomOn(*screen(), *this));
}

void MainWindow::fitScreen() {
  if (isFullScreen() || isMaximized()) return;
  const QRect available = screen()->availableGeometry();
  const QSize room = roomOn(*screen(), *this);
  if (width() > room.width() || height() > room.height()) resize(size().boundedTo(room));
  const QRect frame = frameGeometry();
  move(std::clamp(frame.left(), available.left(), std::max(available.left(), available.right() + 1 - frame.width())),
       std::clamp(frame.top(), available.top(), std::max(available.top(), available.bottom() + 1 - frame.height())));
}

void MainWindow::restoreLayout() {
  restoreGeometry(context_.settings.value("window/geometry").toByteArray());
  fitScreen();
  if (!train_->restoreState(context_.settings.value("window/panels").toByteArray(), kLayoutVersion)) arrangePanels();
  foldPanels();
}

void MainWindow::resizeEvent(QResizeEvent* event) {
  QMainWindow::resizeEvent(event);
  if (isVisible()) foldPanels();
}

void MainWindow::showEvent(QShowEvent* event) {
  QMainWindow::showEvent(event);
  foldPanels();
}

void MainWindow::closeEvent(QCloseEvent* event) {
  context_.settings.setValue("window/geometry", saveGeometry());
  if (!usualPanels_.isEmpty()) unfoldPanels();
  context_.settings.setValue("window/panels", train_->saveState(kLayoutVersion));
  context_.settings.setValue("window/theme", static_cast<int>(context_.theme.mode()));
  context_.settings.setValue("window/presenter", context_.theme.presenter());
  event->accept();
}

}  // namespace moe::ui
