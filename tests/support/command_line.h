#pragma once
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QStringList>

#include <vector>

#include "tests/support/register.h"
#include "tests/support/temporary_folder.h"

namespace moe::test {

/// What a call of the headless program gave.
struct CommandResult {
  int code = -1;  // -1: ended by a signal or did not start
  QByteArray output, errors;
  /// The lines of the output, each a JSON object.
  std::vector<QJsonObject> lines() const {
    std::vector<QJsonObject> objects;
    for (const QByteArray& line : output.split('\n'))
      if (!line.isEmpty()) objects.push_back(QJsonDocument::fromJson(line).object());
    return objects;
  }
};

inline QString commandLineProgram() { return SWITCHYARD_BINARY_DIR "/app/switchyard-cli"; }

inline CommandResult switchyard(const QStringList& arguments) {
  QProcess process;
  process.start(commandLineProgram(), arguments);
  process.waitForFinished(120'000);
  return {process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -1, process.readAllStandardOutput(),
          process.readAllStandardError()};
}

/// The same in a shell, for limits and redirections.
inline CommandResult shell(const QString& script) {
  QProcess process;
  process.start("/bin/bash", {"-c", script});
  process.waitForFinished(120'000);
  return {process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -1, process.readAllStandardOutput(),
          process.readAllStandardError()};
}

/// A tiny model on the reference backend; its text, store and checkpoints lie in `folder`.
inline QStringList tinyTraining(const TemporaryFolder& folder) {
  std::string text;
  for (int i = 0; i < 120; ++i) text += i % 3 ? "the yard is full of trains. " : "one two three four five. ";
  writeText(folder / "yard.txt", text);
  const auto path = [&](const char* name) { return QString::fromStdString((folder / name).string()); };
  QStringList arguments{"train",   "--backend",     "reference", "--data",   path("yard.txt"),
                        "--store", path("runs.db"), "--out",     path("out")};
  for (const char* setting :
       {"model.width=16", "model.layers=2", "model.heads=2", "model.kv_heads=2", "model.head_width=8",
        "model.context=16", "train.batch=2", "experts.hidden=16", "experts.count=4"})
    arguments << "--set" << setting;
  return arguments;
}

inline QString pathIn(const TemporaryFolder& folder, const char* name) {
  return QString::fromStdString((folder / name).string());
}

/// The same call with another value of one option.
inline QStringList with(QStringList arguments, const QString& option, const QString& value) {
  arguments[arguments.indexOf(option) + 1] = value;
  return arguments;
}

/// Of a checkpoint that a run of tinyTraining() left.
inline std::string weights(const TemporaryFolder& folder, const char* step) {
  return readText(folder / "out" / step / "model.safetensors");
}

}  // namespace moe::test
