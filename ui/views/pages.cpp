#include "ui/views/pages.h"

#include "ui/views/alerts_panel.h"
#include "ui/views/experts_page.h"
#include "ui/views/inspect_page.h"
#include "ui/views/recipe_panel.h"
#include "ui/views/runs_page.h"
#include "ui/views/this_run_panel.h"
#include "ui/views/train_page.h"

namespace moe::ui {

const std::vector<PageEntry>& pages() {
  static const std::vector<PageEntry> kPages{
      {"train", "Train", "How do the experts share the work, and does the model learn?", makeTrainPage},
      {"inspect", "Inspect", "Which experts does each token of a text go to, and how sure is the router?",
       makeInspectPage},
      {"experts", "Experts", "What does every expert take, with whom, and does it last?", makeExpertsPage},
      {"runs", "Runs", "Which of the runs did better, and where is what it made?", makeRunsPage},
  };
  return kPages;
}

const std::vector<PanelEntry>& panels() {
  static const std::vector<PanelEntry> kPanels{
      {"recipe", "Recipe", Qt::LeftDockWidgetArea, makeRecipePanel},
      {"alerts", "Alerts", Qt::RightDockWidgetArea, makeAlertsPanel},
      {"run", "This run", Qt::RightDockWidgetArea, makeThisRunPanel},
  };
  return kPanels;
}

}  // namespace moe::ui
