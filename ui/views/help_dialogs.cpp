#include "ui/views/help_dialogs.h"

#include <QAction>
#include <QDialog>
#include <QDialogButtonBox>
#include <QFile>
#include <QTextBrowser>
#include <QVBoxLayout>

namespace moe::ui {

namespace {

QTextBrowser* openText(const QString& title, QWidget* parent) {
  auto* dialog = new QDialog(parent);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setWindowTitle(title);
  auto* all = new QVBoxLayout(dialog);
  auto* text = new QTextBrowser(dialog);
  text->setOpenExternalLinks(true);
  all->addWidget(text);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, dialog);
  QObject::connect(buttons, &QDialogButtonBox::rejected, dialog, &QDialog::reject);
  all->addWidget(buttons);
  const int line = dialog->fontMetrics().height();
  dialog->resize(34 * line, 28 * line);
  dialog->show();
  return text;
}

void showText(const QString& title, const QString& html, QWidget* parent) { openText(title, parent)->setHtml(html); }

QString row(const QString& keys, const QString& what) {
  return QString("<tr><td style='padding-right:24px'><b>%1</b></td><td>%2</td></tr>")
      .arg(keys.toHtmlEscaped(), what.toHtmlEscaped());
}

}  // namespace

void showShortcuts(const QList<QAction*>& actions, QWidget* parent) {
  QString rows;
  for (const QAction* action : actions)
    if (!action->shortcut().isEmpty())
      rows +=
          row(action->shortcut().toString(QKeySequence::NativeText), action->text().remove('&').remove(QChar(0x2026)));
  rows += row(QObject::tr("Arrows"), QObject::tr("Heatmap: another expert or step. Plots: another step"));
  rows += row(QObject::tr("Page up, page down"), QObject::tr("Heatmap: another layer"));
  rows += row(QObject::tr("+ and -"), QObject::tr("Heatmap and plots: zoom in and out of the steps"));
  rows += row(QObject::tr("Shift with arrows"), QObject::tr("Heatmap and plots: move along the steps"));
  rows += row(QObject::tr("Home"), QObject::tr("Heatmap and plots: all steps, following the newest"));
  rows += row(QObject::tr("Ctrl+C"), QObject::tr("Heatmap and plots: copy the picture"));
  rows += row(QObject::tr("Esc"), QObject::tr("Heatmap and plots: select nothing"));
  showText(QObject::tr("Keyboard shortcuts"), "<table>" + rows + "</table>", parent);
}

void showHelpPage(const QString& title, const QString& file, QWidget* parent) {
  QFile page(":/help/" + file);
  const bool opened = page.open(QIODevice::ReadOnly);
  Q_ASSERT(opened);
  openText(title, parent)->setMarkdown(opened ? QString::fromUtf8(page.readAll()) : QString());
}

void showAbout(QWidget* parent) {
  const QString html = QObject::tr(
      "<h2>Switchyard %1</h2>"
      "<p>Train small Mixture-of-Experts language models and watch the routing.</p>"
      "<p>The window is free software under the GNU General Public License, version 3 or later, because it links "
      "QCustomPlot. "
      "The engine and the headless program carry the MIT licence. There is no warranty.</p>"
      "<h3>It stands on</h3><table cellspacing='4'>"
      "<tr><td>Qt %2</td><td>LGPL-3.0</td></tr>"
      "<tr><td>QCustomPlot</td><td>GPL-3.0-or-later</td></tr>"
      "<tr><td>oneDNN</td><td>Apache-2.0</td></tr>"
      "<tr><td>SQLite</td><td>public domain</td></tr>"
      "<tr><td>nlohmann-json</td><td>MIT</td></tr>"
      "<tr><td>CLI11</td><td>BSD-3-Clause</td></tr>"
      "<tr><td>PCRE2</td><td>BSD-3-Clause</td></tr>"
      "<tr><td>utf8proc</td><td>MIT</td></tr>"
      "<tr><td>Random123</td><td>BSD-3-Clause</td></tr></table>");
  showText(QObject::tr("About Switchyard"), html.arg(SWITCHYARD_VERSION, QString::fromLatin1(qVersion())), parent);
}

}  // namespace moe::ui
