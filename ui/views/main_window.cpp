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
#include <QMimeData>
#include <QScrollArea>
#include <QSettings>
#include <QStackedWidget>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/models/run_history.h"
#include "ui/session/run_library.h"
#include "ui/session/session_bridge.h"
#include "ui/theme/theme.h"
#include "ui/views/help_dialogs.h"
#include "ui/views/pages.h"
#include "ui/views/run_bar.h"
#include "ui/widgets/notices.h"
#include "ui/widgets/panel_scroll.h"

namespace moe::ui {

namespace {
constexpr int kLayoutVersion = 1;  // of the saved panels; raise it when the standard layout changes
}

MainWindow::MainWindow(const PageContext& context, QWidget* parent)
    : QMainWindow(parent), context_(context), bar_(new RunBar(context.session, context.history, context.theme, this)),
      navigation_(new QWidget(this)), buttons_(new QVBoxLayout(navigation_)), pageActions_(new QActionGroup(this)),
      stack_(new QStackedWidget(this)), train_(new QMainWindow(this)) {
  setWindowTitle("Switchyard");
  setAcceptDrops(true);
  resize(1280, 800);

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
  connect(&context_.session, &SessionBridge::problemArrived, this,
          [this](const QString& sentence) { context_.notices.show(Notices::Kind::problem, sentence); });
  connect(&context_.session, &SessionBridge::statusChanged, this, &MainWindow::follow);
  connect(&context_.history, &RunHistory::pastWanted, this, [this](RunId run) { context_.library.read(run); });
  connect(&context_.library, &RunLibrary::runRead, this,
          [this](const std::shared_ptr<const StoredRun>& run) { context_.history.addPast(run->summary.id, run->points, run->events, run->studies); });
  connect(&context_.theme, &Theme::changed, this, &MainWindow::dress);
  qApp->installEventFilter(this);
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
      train_->setDockOptions(QMainWindow::AllowTabbedDocks | QMainWindow::AllowNestedDocks | QMainWindow::AnimatedDocks);
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
  QAction* quit = add("&File", tr("&Quit"), QKeySequence::Quit, [this] { close(); });
  quit->setMenuRole(QAction::QuitRole);

  QAction* undo = add("&Edit", tr("&Undo last setting"), QKeySequence::Undo, [this] { context_.session.post(command::UndoKnob{}); });
  undo->setEnabled(false);
  connect(&context_.session, &SessionBridge::statusChanged, undo, [undo](const SessionStatus& s) { undo->setEnabled(s.canUndo); });

  menu("&Run")->addActions({bar_->playAction(), bar_->stepAction(), bar_->restartAction()});
  menu("&Run")->addSeparator();
  menu("&Run")->addActions(bar_->paces()->actions());
  connect(bar_->paces(), &QActionGroup::triggered, this, [this](QAction* pace) { context_.settings.setValue("fluid", pace->data()); });
  menu("&Run")->addSeparator();
  QAction* twin = add("&Run", tr("Compare with &dense"), {}, [this] {
    if (context_.session.status().twin != 0)
      context_.session.post(command::CloseTwin{});
    else
      context_.session.post(command::StartTwin{});
  });
  twin->setCheckable(true);
  connect(&context_.session, &SessionBridge::statusChanged, twin, [twin](const SessionStatus& s) { twin->setChecked(s.twin != 0); });
  add("&Run", tr("Back to the last &healthy checkpoint"), {}, [this] { context_.session.post(command::RestoreHealthy{}); });
  add("&Run", tr("Save a &checkpoint and keep it"), QKeySequence::Save, [this] { context_.session.post(command::SaveCheckpoint{.pin = true}); });

  menu("&View")->addSeparator();
  auto* modes = new QActionGroup(this);
  const std::pair<Theme::Mode, QString> kModes[] = {
      {Theme::Mode::system, tr("Theme of the &system")}, {Theme::Mode::light, tr("&Light theme")}, {Theme::Mode::dark, tr("&Dark theme")}};
  for (const auto& [mode, text] : kModes) {
    QAction* action = add("&View", text, {}, [this, mode = mode] { context_.theme.setMode(mode); });
    action->setCheckable(true);
    modes->addAction(action);
    const auto check = [this, action, mode = mode] { action->setChecked(context_.theme.mode() == mode); };
    connect(&context_.theme, &Theme::changed, action, check);
    check();
  }
  QAction* presenter = add("&View", tr("&Presenter mode"), Qt::Key_F5, [this] { context_.theme.setPresenter(!context_.theme.presenter()); });
  presenter->setCheckable(true);
  connect(&context_.theme, &Theme::changed, presenter, [this, presenter] { presenter->setChecked(context_.theme.presenter()); });

  add("&Help", tr("&First steps"), QKeySequence::HelpContents, [this] { showHelpPage(tr("First steps"), "first-steps.md", this); });
  add("&Help", tr("When experts &die"), {}, [this] { showHelpPage(tr("When experts die"), "collapse.md", this); });
  add("&Help", tr("&Growing, freezing and going back"), {}, [this] { showHelpPage(tr("Growing, freezing and going back"), "growing.md", this); });
  add("&Help", tr("What the &numbers mean"), {}, [this] { showHelpPage(tr("What the numbers mean"), "numbers.md", this); });
  menu("&Help")->addSeparator();
  add("&Help", tr("&Keyboard shortcuts"), Qt::CTRL | Qt::Key_Slash, [this] { showShortcuts(findChildren<QAction*>(), this); });
  QAction* about = add("&Help", tr("&About Switchyard"), {}, [this] { showAbout(this); });
  about->setMenuRole(QAction::AboutRole);
}

void MainWindow::follow(const SessionStatus& status) {
  const QString store = QString::fromStdString(status.storeProblem), message = QString::fromStdString(status.message);
  if (store != storeProblem_) {
    if (store.isEmpty())
      context_.notices.close("store");
    else
      context_.notices.show(Notices::Kind::problem, store, {}, "store");
    storeProblem_ = store;
  }
  if (message != message_) {
    std::vector<Notices::Answer> answers;
    if (status.hasHealthyCheckpoint)
      answers.push_back({tr("Back to the last healthy checkpoint"), [this] { context_.session.post(command::RestoreHealthy{}); }});
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

QString MainWindow::page() const { return pageActions_->checkedAction() ? pageActions_->checkedAction()->data().toString() : QString(); }

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
                              : QFileDialog::getOpenFileName(this, tr("Text file"), {}, tr("Text (*.txt *.md *.csv *.json *.py);;All files (*)"));
  if (!path.isEmpty()) offerData(path);
}

void MainWindow::offerData(const QString& path) {
  const QFileInfo file(path);
  const std::optional<RunConfig>& present = context_.session.status().config;
  if (!file.exists()) return context_.notices.show(Notices::Kind::problem, tr("There is no file or folder %1.").arg(path));
  if (!present) return context_.notices.show(Notices::Kind::problem, tr("The engine is still preparing; drop the text again in a moment."));
  const auto start = [this, path] {
    RunConfig config = context_.session.status().config.value_or(RunConfig{});
    config.data.source = path.toStdString();
    context_.session.post(command::Start{.config = std::move(config)});
  };
  context_.notices.show(Notices::Kind::note,
                        tr("Train a new model of the present recipe on %1? The present run is kept, and can be continued.").arg(file.fileName()),
                        {{tr("Start new run"), start}}, "data");
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
  const QList<QUrl> urls = event->mimeData()->urls();
  if (urls.size() == 1 && urls.front().isLocalFile()) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
  offerData(event->mimeData()->urls().front().toLocalFile());
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
  if (isVisible()) followPresenter();
  const Colours& c = context_.theme.colours();
  navigation_->setStyleSheet(QString("QToolButton#navigation { border: 0; border-left: 4px solid transparent; padding: 10px 12px 10px 8px; color: %1; }"
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
  followPresenter();
}

void MainWindow::arrangePanels() {
  const QFontMetrics metrics(context_.theme.font());
  for (const PanelEntry& entry : panels()) {
    // Wide enough for a sentence of five words beside a scroll bar.
    train_->resizeDocks({docks_.at(entry.id)}, {24 * metrics.averageCharWidth() + 100}, Qt::Horizontal);
    train_->resizeDocks({docks_.at(entry.id)}, {1000}, Qt::Vertical);
  }
}

void MainWindow::followPresenter() {
  if (context_.theme.presenter() == !usualPanels_.isEmpty()) return;
  if (!context_.theme.presenter()) {
    train_->restoreState(usualPanels_, kLayoutVersion);
    usualPanels_.clear();
    return;
  }
  // Large type leaves room for one panel: all of them behind each other at the right, the alerts in front.
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
  if (first) train_->resizeDocks({first}, {400}, Qt::Horizontal);
}

void MainWindow::restoreLayout() {
  restoreGeometry(context_.settings.value("window/geometry").toByteArray());
  if (!train_->restoreState(context_.settings.value("window/panels").toByteArray(), kLayoutVersion)) arrangePanels();
  followPresenter();
}

void MainWindow::closeEvent(QCloseEvent* event) {
  context_.settings.setValue("window/geometry", saveGeometry());
  context_.settings.setValue("window/panels", usualPanels_.isEmpty() ? train_->saveState(kLayoutVersion) : usualPanels_);
  context_.settings.setValue("window/theme", static_cast<int>(context_.theme.mode()));
  context_.settings.setValue("window/presenter", context_.theme.presenter());
  event->accept();
}

}  // namespace moe::ui
