#pragma once
#include <QString>
#include <filesystem>

class QSettings;

namespace moe::ui {

class Notices;
class RunHistory;
class RunLibrary;
class Selection;
class SessionBridge;
class Theme;
class TimeAxis;

/// Everything a page or panel is given. All of it outlives the page; made in main().
struct PageContext {
  SessionBridge& session;
  RunHistory& history;
  RunLibrary& library;  // the stored runs
  Selection& selection;
  Theme& theme;
  TimeAxis& time;               // the step axis of the Train page
  Notices& notices;             // sentences and questions, shown in place
  QSettings& settings;          // of the window: layout, theme, preferences
  std::filesystem::path store;  // the run store's file; empty: nothing is recorded
};

}  // namespace moe::ui
