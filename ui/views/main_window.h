#pragma once
#include <QMainWindow>
#include <map>

#include "core/session/training_session.h"
#include "ui/views/page_context.h"

class QActionGroup;
class QDockWidget;
class QStackedWidget;
class QToolButton;
class QVBoxLayout;

namespace moe::ui {

class RunBar;

/// The window: run bar above, navigation at the left, one page at a time, panels docked on the Train page.
class MainWindow : public QMainWindow {
  Q_OBJECT

 public:
  explicit MainWindow(const PageContext& context, QWidget* parent = nullptr);
  ~MainWindow() override;

  RunBar& runBar() const { return *bar_; }
  /// Ids as in pages(); an unknown one is ignored.
  void showPage(const QString& id);
  QString page() const;
  QStringList pageIds() const;
  QWidget* pageWidget(const QString& id) const;
  /// The content of a panel; null where there is none of that id.
  QWidget* panelWidget(const QString& id) const;
  void raisePanel(const QString& id);
  /// Asks, in place, whether to start a new run on this text file or folder.
  void offerData(const QString& path);
  void resetLayout();

 Q_SIGNALS:
  /// Another file is to hold the runs: the program ends and begins anew with it.
  void storeChosen(const QString& file);

 protected:
  void closeEvent(QCloseEvent* event) override;
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void showEvent(QShowEvent* event) override;
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void buildPages();
  void buildPanels();
  void buildMenus();
  void adoptActions(QWidget* widget);
  QMenu* menu(const QString& title);
  void openText(bool folder);
  void dress();
  void follow(const SessionStatus& status);
  void arrangePanels();
  void foldPanels();
  void unfoldPanels();
  void restoreLayout();
  QSize usualSize() const;
  /// Inside the screen it is on, as far as the contents let it.
  void fitScreen();
  void chooseStore();

  PageContext context_;
  RunBar* bar_;
  QWidget* navigation_;
  QVBoxLayout* buttons_;
  QActionGroup* pageActions_;
  QStackedWidget* stack_;
  QMainWindow* train_;                          // hosts the panels
  QString storeProblem_, storeNews_, message_;  // as last shown
  QByteArray usualPanels_;                      // while presenter mode has its own arrangement
  std::map<QString, QWidget*> pages_;           // by id: what make() returned
  std::map<QString, QDockWidget*> docks_;       // by id
  std::map<QString, QMenu*> menus_;             // by title
};

}  // namespace moe::ui
