"""The container: patients, samples, long tables, assays, provenance; and its attrition."""

from immunosarc.cohort._assay import make_assay
from immunosarc.cohort._attrition import attrition
from immunosarc.cohort._cell_assay import make_cells
from immunosarc.cohort._cohort import Cohort
from immunosarc.cohort._patient_features import refuse_cells
from immunosarc.cohort._simulated import is_simulated, marked

__all__ = ["Cohort", "attrition", "is_simulated", "make_assay", "marked", "refuse_cells"]
__all__ = ["Cohort", "attrition", "is_simulated", "make_assay", "make_cells", "marked"]
