#include <sys/stat.h>

#include <atomic>
#include <future>
#include <thread>

#include "core/base/error.h"
#include "core/session/store_thread.h"
#include "core/session/stored_runs.h"
#include "core/store/store_link.h"
#include "core/store/store_operations.h"
#include "tests/support/child_process.h"
#include "tests/support/register.h"
#include "tests/support/stored_points.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using namespace moe::test;
namespace fs = std::filesystem;

namespace {

/// Does it on the store's thread and waits: its result, or what it throws.
template <class Work>
auto ask(StoreThread& store, Work work) {
  using Result = std::invoke_result_t<Work, RunStore&>;
  const auto task = std::make_shared<std::packaged_task<Result(RunStore&)>>(std::move(work));
  auto result = task->get_future();
  store.post([task](RunStore& s) { (*task)(s); });
  store.finish();
  return result.get();
}

bool holds(StoreThread& store) {
  return ask(store, [](RunStore& s) { return s.holds(); });
}

RunSummary named(const std::string& name) {
  RunSummary run;
  run.name = name;
  return run;
}

RunEvent note(RunId run, std::int64_t step, const std::string& text) {
  RunEvent event;
  event.run = run;
  event.step = step;
  event.text = text;
  return event;
}

RunStudy studyOf(RunId run) {
  RunStudy study;
  study.run = run;
  study.step = 7;
  study.domains = {"a\nb", "caf\xe9"};
  study.domainTokens = {3, 4};
  study.tokens = 2;
  LayerStudy& layer = study.layers.emplace_back();
  layer.experts = 2;
  layer.slots = 1;
  layer.selections = {1, -1};
  layer.listed = {0, 1};
  layer.coactivation = {0, 1, 1, 0};
  layer.domains = {0.5f, 0.25f, 1, 0};
  layer.maxVioGlobal = 0.75f;
  return study;
}

/// A process of its own that holds the store until it is killed.
class OtherProcess {
 public:
  template <class Call>
  explicit OtherProcess(Call call) {
    int pipe[2];
    if (::pipe(pipe) != 0) return;
    child_ = ::fork();
    if (child_ == 0) {
      call([&] { return ::write(pipe[1], "x", 1) == 1; });
      for (;;) ::pause();
    }
    ::close(pipe[1]);
    char byte;
    while (::read(pipe[0], &byte, 1) < 0) {}
    ::close(pipe[0]);
  }
  ~OtherProcess() { kill(); }
  void kill() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    child_ = 0;
  }
  pid_t id() const { return child_; }

 private:
  pid_t child_ = 0;
};

}  // namespace

class SharedStoreTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void whatAnotherRecordsIsWrittenByTheOneThatHoldsTheStore() {
    const TemporaryFolder folder;
    StoreThread holder(folder / "runs.db");
    QVERIFY(holds(holder));
    StoreThread guest(folder / "runs.db");
    QVERIFY(!holds(guest));
    QVERIFY2(guest.problem().empty(), guest.problem().c_str());
    const RunId theirs = ask(holder, [](RunStore& s) { return s.createRun(named("the holder's")); });
    const RunId mine = ask(guest, [](RunStore& s) { return s.createRun(named("the guest's\n\x1b")); });
    QVERIFY(mine != theirs);
    ask(guest, [mine](RunStore& s) {
      s.setNote(mine, "a note");
      s.append(mine, pointsFrom(1, 300));
      s.append(note(mine, 5, "an event"));
      s.append(studyOf(mine));
      s.recordCheckpoint({.run = mine, .step = 0, .path = "/x/step-0", .healthy = true, .bytes = 12});
      s.setPinned(mine, 0, true);
      s.setTargetSteps(mine, 900);
      s.setSetting("probe", "text");
      s.setState(mine, RunSummary::State::paused);
    });
    for (StoreThread* reader : {&holder, &guest}) {
      const StoredRun run = ask(*reader, [mine](RunStore& s) { return readRun(s, mine, 0); });
      QCOMPARE(run.summary.name, std::string("the guest's\n\x1b"));
      QCOMPARE(run.summary.note, std::string("a note"));
      QCOMPARE(run.summary.targetSteps, std::int64_t{900});
      QVERIFY(run.summary.state == RunSummary::State::paused);
      QVERIFY(same(run.points, pointsFrom(1, 300)));
      QCOMPARE(run.events.size(), std::size_t{1});
      QCOMPARE(run.events[0].text, std::string("an event"));
      QCOMPARE(run.checkpoints.size(), std::size_t{1});
      QVERIFY(run.checkpoints[0].pinned && run.checkpoints[0].healthy);
      QCOMPARE(run.studies.size(), std::size_t{1});
      QVERIFY(run.studies[0]->layers == studyOf(mine).layers);
      QVERIFY(run.studies[0]->domains == studyOf(mine).domains);
      QCOMPARE(ask(*reader, [](RunStore& s) { return s.setting("probe"); }), std::string("text"));
    }
    ask(guest, [mine](RunStore& s) { s.truncate(mine, 100); });
    QVERIFY(same(ask(holder, [mine](RunStore& s) { return s.points(mine); }), pointsFrom(1, 100)));
    ask(guest, [mine](RunStore& s) { s.deleteRun(mine); });
    QCOMPARE(ask(holder, [](RunStore& s) { return s.runs().size(); }), std::size_t{1});
  }
  void aRefusalComesBackAsTheHoldersSentence() {
    const TemporaryFolder folder;
    StoreThread holder(folder / "runs.db"), guest(folder / "runs.db");
    for (StoreThread* store : {&holder, &guest})
      QCOMPARE(
          sentenceOf([&] { ask(*store, [](RunStore& s) { s.setName(9, "x"); }); }),
          "[store] " + (folder / "runs.db").string() + ": expected run 9, found none of that number; list the runs");
  }
  void manyRecordAtOnceAndNoneLosesARow() {
    const TemporaryFolder folder;
    StoreThread holder(folder / "runs.db");
    std::vector<std::unique_ptr<StoreThread>> stores;
    for (int i = 0; i < 3; ++i) stores.push_back(std::make_unique<StoreThread>(folder / "runs.db"));
    std::vector<StoreThread*> all{&holder};
    for (const auto& store : stores) all.push_back(store.get());
    std::vector<RunId> runs;
    for (StoreThread* store : all) runs.push_back(ask(*store, [](RunStore& s) { return s.createRun({}); }));
    std::atomic<int> failures = 0;
    for (std::int64_t step = 1; step <= 400; step += 4)
      for (std::size_t i = 0; i < all.size(); ++i)
        all[i]->post([run = runs[i], step](RunStore& s) { s.append(run, pointsFrom(step, step + 3)); },
                     [&](const std::string&) { ++failures; });
    for (StoreThread* store : all) store->finish();
    QCOMPARE(failures.load(), 0);
    for (const RunId run : runs)
      QVERIFY(same(ask(holder, [run](RunStore& s) { return s.points(run); }), pointsFrom(1, 400)));
  }
  void whenTheHolderEndsAnotherTakesItsPlaceAndRecordsForTheRest() {
    const TemporaryFolder folder;
    auto holder = std::make_unique<StoreThread>(folder / "runs.db");
    holder->finish();  // the first to open holds
    StoreThread second(folder / "runs.db"), third(folder / "runs.db");
    const auto create = [](RunStore& s) { return s.createRun({}); };
    const RunId a = ask(second, create), b = ask(third, create), left = ask(*holder, create);
    holder.reset();
    QVERIFY(!fs::exists(socketOf(folder / "runs.db")));
    ask(second, [a](RunStore& s) { s.append(a, pointsFrom(1, 10)); });
    ask(third, [b](RunStore& s) { s.append(b, pointsFrom(1, 10)); });
    QVERIFY(holds(second));
    QVERIFY(!holds(third));
    const auto stateOf = [&](RunId run) { return ask(third, [run](RunStore& s) { return s.run(run).state; }); };
    QVERIFY(stateOf(a) == RunSummary::State::running);
    QVERIFY(stateOf(b) == RunSummary::State::running);
    QVERIFY(stateOf(left) == RunSummary::State::interrupted);
    for (const RunId run : {a, b})
      QVERIFY(same(ask(second, [run](RunStore& s) { return s.points(run); }), pointsFrom(1, 10)));
  }
  void aHolderKilledAtAnyMomentTakesNoRowWithItAndDoublesNone() {
    for (int moment = 0; moment < 6; ++moment) {
      const TemporaryFolder folder;
      OtherProcess other([&](auto ready) {
        StoreThread store(folder / "runs.db");
        store.finish();
        ready();
        for (;;) ::pause();
      });
      StoreThread guest(folder / "runs.db");
      QVERIFY(!holds(guest));
      const RunId run = ask(guest, [](RunStore& s) { return s.createRun({}); });
      std::atomic<int> failures = 0, written = 0;
      for (std::int64_t step = 1; step <= 120; ++step)
        guest.post(
            [run, step, &written](RunStore& s) {
              s.append(run, pointsFrom(step, step));
              s.append(note(run, step, "at " + std::to_string(step)));
              ++written;
            },
            [&](const std::string&) { ++failures; });
      while (written < 5 + moment * 17) std::this_thread::yield();
      other.kill();
      guest.finish();
      QCOMPARE(failures.load(), 0);
      QVERIFY(holds(guest));
      QVERIFY(same(ask(guest, [run](RunStore& s) { return s.points(run); }), pointsFrom(1, 120)));
      const auto events = ask(guest, [run](RunStore& s) { return s.events(run); });
      QCOMPARE(events.size(), std::size_t{120});
      for (std::size_t i = 0; i < events.size(); ++i) QCOMPARE(events[i].step, static_cast<std::int64_t>(i) + 1);
      QCOMPARE(ask(guest, [](RunStore& s) { return s.runs().size(); }), std::size_t{1});
    }
  }
  void aMessageThatIsSentAgainIsDoneOnce() {
    const TemporaryFolder folder;
    const auto store = RunStore::open(folder / "runs.db", RunStore::Access::write);
    StoreClient client;
    const auto greeting = MessageWriter()
                              .put(kLinkVersion)
                              .put(std::string("token"))
                              .put(std::string("process 1"))
                              .put(client.process.claims)
                              .take();
    QCOMPARE(store->answer(client, greeting), doneAnswer({}));
    const auto create = MessageWriter()
                            .put(std::uint64_t{1})
                            .put(placeOf<&RunStore::createRun>(StoreOperations()))
                            .put(named("mine"))
                            .take();
    const std::string answer = store->answer(client, create);
    QCOMPARE(answer, doneAnswer(MessageWriter().put(RunId{1}).take()));
    QCOMPARE(store->answer(client, create), answer);
    store->leave(client);
    QCOMPARE(store->runs().size(), std::size_t{1});
    QVERIFY(store->run(1).state == RunSummary::State::interrupted);
    QCOMPARE(store->setting("link:token"), std::string());
  }
  void whatTheHolderDidBeforeItEndedWithoutAnsweringIsNotDoneAgain() {
    const TemporaryFolder folder;
    auto dying = RunStore::open(folder / "runs.db", RunStore::Access::write);
    auto listener = std::make_unique<ListeningSocket>(socketOf(folder / "runs.db"), folder / "runs.db");
    StoreThread guest(folder / "runs.db");
    {
      LocalSocket socket(*listener->accept());
      StoreClient client;
      QVERIFY(socket.send(dying->answer(client, *socket.receive())));
      guest.post([](RunStore& s) { s.append(note(s.createRun(named("mine")), 1, "an event")); });
      dying->answer(client, *socket.receive());
      listener.reset();
      dying.reset();
    }
    guest.finish();
    QVERIFY(holds(guest));
    QCOMPARE(ask(guest, [](RunStore& s) { return s.runs().size(); }), std::size_t{1});
    QCOMPARE(ask(guest, [](RunStore& s) { return s.run(1).name; }), std::string("mine"));
    QCOMPARE(ask(guest, [](RunStore& s) { return s.events(1).size(); }), std::size_t{1});
    QVERIFY(ask(guest, [](RunStore& s) { return s.run(1).state == RunSummary::State::running; }));
  }
  void aRunInTrainingIsNotTakenRewoundOrDeletedByAnotherProcess() {
    const TemporaryFolder folder;
    StoreThread holder(folder / "runs.db"), guest(folder / "runs.db");
    const RunId run = ask(holder, [](RunStore& s) { return s.createRun({}); });
    const fs::path checkpoint = checkpointFolder(folder / "runs.db", run) / "step-0";
    fs::create_directories(checkpoint);
    ask(holder, [&](RunStore& s) { s.recordCheckpoint({.run = run, .step = 0, .path = checkpoint.string()}); });
    const std::string who = "found it in that of process " + std::to_string(::getpid()) + " (since 20";
    const auto refused = [&](StoreThread& store, auto work) {
      const std::string said = sentenceOf([&] { ask(store, work); });
      QVERIFY2(said.find(who) != std::string::npos, said.c_str());
    };
    refused(guest, [run](RunStore& s) { s.claim(run); });
    refused(guest, [run](RunStore& s) { s.truncate(run, 0); });
    refused(guest, [run](RunStore& s) { s.setState(run, RunSummary::State::paused); });
    refused(guest, [run](RunStore& s) { deleteRun(s, run); });
    QVERIFY(fs::exists(checkpoint));
    ask(guest, [run](RunStore& s) { s.setName(run, "names are anyone's"); });
    ask(holder, [run](RunStore& s) { s.release(run); });
    ask(guest, [run](RunStore& s) { s.claim(run); });
    refused(holder, [run](RunStore& s) { s.claim(run); });
  }
  void aGuestThatEndsWithoutAWordLeavesItsRunInterruptedAndFree() {
    const TemporaryFolder folder;
    int go[2];
    QCOMPARE(::pipe(go), 0);
    // Forked before this process has threads of the store.
    OtherProcess other([&](auto ready) {
      ready();
      char byte;
      while (::read(go[0], &byte, 1) < 1) {}
      StoreThread store(folder / "runs.db");
      store.post([](RunStore& s) { s.append(s.createRun(named("theirs")), pointsFrom(1, 5)); });
      for (;;) ::pause();
    });
    StoreThread holder(folder / "runs.db");
    QVERIFY(holds(holder));
    QCOMPARE(::write(go[1], "x", 1), ssize_t{1});
    const auto steps = [&] {
      return ask(holder, [](RunStore& s) { return s.runs().empty() ? std::int64_t{0} : s.run(1).steps; });
    };
    QTRY_COMPARE_WITH_TIMEOUT(steps(), std::int64_t{5}, 30'000);
    QVERIFY(ask(holder, [](RunStore& s) { return s.run(1).state; }) == RunSummary::State::running);
    other.kill();
    const auto interrupted = [&] {
      return ask(holder, [](RunStore& s) { return s.run(1).state == RunSummary::State::interrupted; });
    };
    QTRY_VERIFY_WITH_TIMEOUT(interrupted(), 30'000);
    ask(holder, [](RunStore& s) { s.claim(1); });
    ::close(go[0]);
    ::close(go[1]);
  }
  void theSocketIsOpenToThoseWhoMayWriteTheStoreWhereverItLies() {
    const TemporaryFolder folder;
    const fs::path deep = folder / std::string(90, 'd') / std::string(90, 'e');
    fs::create_directories(deep);
    { StoreThread made(deep / "runs.db"); }
    for (const mode_t mode : {0600, 0660, 0644}) {
      ::chmod((deep / "runs.db").c_str(), mode);
      StoreThread holder(deep / "runs.db");
      holder.finish();
      struct stat socket {};
      QCOMPARE(::stat(socketOf(deep / "runs.db").c_str(), &socket), 0);
      QVERIFY(S_ISSOCK(socket.st_mode));
      QCOMPARE(socket.st_mode & 0777, mode);
      StoreThread guest(deep / "runs.db");
      QVERIFY(!holds(guest));
      ask(guest, [](RunStore& s) { s.createRun({}); });
    }
    QVERIFY(!fs::exists(socketOf(deep / "runs.db")));
  }
  void whatIsNoMessageIsRefusedInWordsAndTheHolderGoesOn() {
    const TemporaryFolder folder;
    StoreThread holder(folder / "runs.db");
    const RunId run = ask(holder, [](RunStore& s) { return s.createRun({}); });
    const std::string whole = MessageWriter()
                                  .put(std::uint64_t{1})
                                  .put(placeOf<appendPoints>(StoreOperations()))
                                  .put(run)
                                  .put(pointsFrom(1, 3))
                                  .take();
    StoreClient self;
    self.token = "token";
    const auto said = [&](const std::string& message) {
      const auto link = StoreLink::to(folder / "runs.db", self);
      return sentenceOf([&] { link->ask(message); });
    };
    for (const std::size_t length :
         {std::size_t{0}, std::size_t{7}, std::size_t{9}, std::size_t{20}, whole.size() / 2, whole.size() - 1})
      QVERIFY2(said(whole.substr(0, length)).find("found it damaged") != std::string::npos,
               said(whole.substr(0, length)).c_str());
    QVERIFY(said(whole + "x").find("found it damaged") != std::string::npos);
    const auto unknown = MessageWriter().put(std::uint64_t{1}).put(std::uint16_t{999}).take();
    QVERIFY(said(unknown).find("found none of number 999") != std::string::npos);
    const auto state = MessageWriter()
                           .put(std::uint64_t{1})
                           .put(placeOf<&RunStore::setState>(StoreOperations()))
                           .put(run)
                           .put(77)
                           .take();
    QVERIFY(said(state).find("found it damaged") != std::string::npos);
    {
      const auto other = LocalSocket::connect(socketOf(folder / "runs.db"));
      LocalSocket socket(*other);
      QVERIFY(socket.send(MessageWriter().put(kLinkVersion + 1).put(std::string("t")).take()));
      const auto answer = socket.receive();
      QVERIFY(answer && answer->find("by a program of the same version") != std::string::npos);
    }
    QVERIFY(ask(holder, [run](RunStore& s) { return s.points(run); }).empty());
    ask(holder, [run](RunStore& s) { s.append(run, pointsFrom(1, 3)); });
  }
};
SWITCHYARD_TEST(SharedStoreTest)
#include "shared_store_test.moc"
